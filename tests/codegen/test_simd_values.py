"""Every operation on values gives the bits that its numpy twin gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from autosched.codegen.simd import twins
from autosched.codegen.simd.types import ELEMENTS, ValueType, value_type

INTEGERS = [name for name, element in ELEMENTS.items() if element.kind in "ui"]
FLOATS = ["f32", "f64"]
NUMBERS = INTEGERS + FLOATS
# Each element at one lane and at sixteen, and the other widths spread over the elements.
Compile = Callable[[Sequence[str], str], Any]
TYPES = [
    *(f"{name}{width}" for name in ELEMENTS for width in ("", "x16")),
    *("u8x4", "i8x8", "u16x4", "i16x8", "u32x4", "i32x8", "i64x4", "u64x8", "f32x4", "f32x8", "f64x8", "b1x8"),
]
WIDE = ["u8x32", "u8x64", "i16x32", "f32x32", "b1x64"]


@dataclass(frozen=True)
class Case:
    """An expression over the values `x`, `y` and `z`, and its meaning on arrays (rows, lanes)."""

    expression: str
    result: ValueType
    twin: Callable[..., Any]


OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%",
    "and_": "&", "or_": "|", "xor": "^", "lshift": "<<", "rshift": ">>",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
}  # fmt: skip
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
BY_KIND = {
    "b": ("and_", "or_", "xor", *COMPARISONS),
    "f": ("add", "sub", "mul", "truediv", *COMPARISONS),
    "i": tuple(name for name in OPERATORS if name != "truediv"),
    "u": tuple(name for name in OPERATORS if name != "truediv"),
}


def twin(name: str, operands: str) -> Callable[..., Any]:
    """The twin called `name` of some of `x`, `y` and `z`."""
    function = getattr(twins, name)
    return lambda *xyz: function(*(xyz["xyz".index(operand)] for operand in operands))


def cases(value: ValueType) -> Iterator[Case]:
    """All operations on one value type whose operands are values of it."""
    kind, lanes, last = value.element.kind, value.lanes, value.lanes - 1
    wide = lanes > 16
    for name in BY_KIND[kind]:
        if not (wide and name in ("floordiv", "mod")):
            result = value.of("b1") if name in COMPARISONS else value
            yield Case(f"x {OPERATORS[name]} y", result, twin(name, "xy"))
    if kind != "f":
        yield Case("~x", value, twin("invert", "x"))
    if kind != "b":
        yield Case("-x", value, twin("neg", "x"))
        yield Case("vmin(x, y)", value, twin("vmin", "xy"))
        yield Case("vmax(x, y)", value, twin("vmax", "xy"))
        yield Case("vabs(x)", value, twin("vabs", "x"))
        yield Case("reduce_min(x)", value.scalar, twin("reduce_min", "x"))
        yield Case("reduce_max(x)", value.scalar, twin("reduce_max", "x"))
    if kind in "ui":
        yield Case("reduce_add(x)", value.scalar, twin("reduce_add", "x"))
        yield Case("reduce_mul(x)", value.scalar, twin("reduce_mul", "x"))
    if kind == "f":
        for name in ("vsqrt", "vfloor", "vceil", "vrint", "vtrunc"):
            yield Case(f"{name}(x)", value, twin(name, "x"))
    if value.element.bits >= 32:
        width = value.element.bits
        for target in map(value.of, (f"i{width}", f"u{width}") if kind == "f" else (f"f{width}",)):
            yield Case(f"reinterpret_{target}(x)", target, lambda x, y, z, t=target: twins.reinterpret(t, x))
    if value.element.name == "f32":
        yield Case("vfma(x, y, z)", value, twin("vfma", "xyz"))
        for name in ("round_bf16", "round_f16"):
            yield Case(f"{name}(x)", value.of("u16"), twin(name, "x"))
    yield Case("select(x == y, z, x)", value, lambda x, y, z: twins.select(x == y, z, x))
    first_x, first_y, last_x = (
        f"load_{value.scalar}(p{name} + row * {value.bytes} + {lane * value.element.bytes})"
        for name, lane in (("x", 0), ("y", 0), ("x", last))
    )
    yield Case(f"select({first_x} < {first_y}, z, x)", value, lambda x, y, z: np.where(x[:, :1] < y[:, :1], z, x))
    yield Case(f"splat_{value}({last_x})", value, lambda x, y, z: np.repeat(x[:, last:], lanes, axis=1))
    for name in ELEMENTS:
        target = value.of(name)
        if not (wide and name in ("i64", "u64", "f64")):
            yield Case(f"cast_{target}(x)", target, lambda x, y, z, t=target: twins.cast(t, x))
            yield Case(f"sat_{target}(x)", target, lambda x, y, z, t=target: twins.sat(t, x))


def operands(value: ValueType, seed: int) -> list[np.ndarray]:
    """Three arrays (rows, lanes): all pairs of awkward numbers, then random ones."""
    random = np.random.default_rng(seed)
    element = value.element
    if element.kind == "b":
        awkward = np.array([False, True])
    elif element.kind == "f":
        info = np.finfo(element.dtype)
        halves = [0.5, 1.5, 2.5, 0.49999997, 127.5, 255.5, 256.0, 32767.5, 65536.0, 2.0**31, 2.0**32]
        powers = [2.0**53 + 2, 2.0**63, 2.0**64, 16777217.0, 2147483583.0, 1e-3]
        limits = [0.0, 1.0, np.inf, info.max, info.tiny, info.smallest_subnormal]
        awkward = np.array([*halves, *powers, *limits, np.nan], element.dtype)
        awkward = np.concatenate([awkward, -awkward])
    else:
        near = [0, 1, 2, 3, 7, 8, 15, 16, 31, 63, element.maximum, element.maximum - 1, element.maximum // 2]
        if element.kind == "i":
            near += [-1, -2, -3, -8, -100, element.minimum, element.minimum + 1]
        awkward = np.array(near, element.dtype)
    pairs = np.array(np.meshgrid(awkward, awkward)).reshape(2, -1)
    raw = random.integers(0, 256, (3, 256 * element.bytes), np.uint8)
    spread = raw % 2 == 0 if element.kind == "b" else raw.view(element.dtype)
    if element.kind == "f":
        spread[:, ::2] = random.normal(0, 300, (3, 128)).astype(element.dtype)
    columns = np.concatenate([np.vstack([pairs, pairs[1][::-1]]), spread], axis=1)
    columns = columns[:, : max(columns.shape[1] // value.lanes, 1) * value.lanes]
    return [np.ascontiguousarray(c.reshape(-1, value.lanes)) for c in columns]


def same_bits(actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where the bits agree, or both are NaN."""
    bits = actual.view(np.uint8).reshape(*actual.shape, -1) == expected.view(np.uint8).reshape(*actual.shape, -1)
    equal = bits.all(axis=-1)
    return equal | (np.isnan(actual) & np.isnan(expected)) if actual.dtype.kind == "f" else equal


@pytest.mark.parametrize("name", TYPES + WIDE)
def test_values(name: str, compile_kernel: Compile) -> None:
    value = value_type(name)
    x, y, z = operands(value, seed=0)
    lines = ["for row in range(rows):"]
    lines += [f"    {v} = load_{value}(p{v} + row * {value.bytes})" for v in "xyz"]
    tested, offset = [], 0
    for case in cases(value):
        tested.append((case, offset))
        place = f"out + {offset} * rows + row * {case.result.bytes}"
        lines.append(f"    store_{case.result}({place}, {case.expression})")
        offset += case.result.bytes
    out = np.zeros(offset * len(x), np.uint8)
    kernel = compile_kernel(lines, "px, py, pz, out, rows")
    kernel(x.ctypes.data, y.ctypes.data, z.ctypes.data, out.ctypes.data, len(x))
    for case, start in tested:
        expected = np.ascontiguousarray(case.twin(x, y, z).reshape(len(x), case.result.lanes))
        raw = out[start * len(x) : start * len(x) + expected.nbytes]
        assert expected.dtype == case.result.element.dtype, case.expression
        actual = raw.view(expected.dtype).reshape(expected.shape)
        wrong = ~same_bits(actual, expected)
        if wrong.any():
            row = int(np.argwhere(wrong)[0][0])
            pytest.fail(
                f"{case.expression} on {name}: {actual[row]} instead of {expected[row]} "
                f"at x={x[row]} y={y[row]} z={z[row]}"
            )
