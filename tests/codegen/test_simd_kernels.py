"""Whole kernels: dot products, conversions to and from Numba's integers, control flow, constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from autosched.codegen.simd import twins
from autosched.codegen.simd.types import ELEMENTS, value_type

Compile = Callable[[Sequence[str], str], Any]


@pytest.mark.parametrize("name", [f"{name}{lanes}" for name in ELEMENTS for lanes in ("", "x8")])
def test_constants_and_lane_numbers(name: str, compile_kernel: Compile) -> None:
    value = value_type(name)
    numbers: list[int | float] = [0, 1, 3, 255, 256, -1, -129, 2**31, 2**63 - 1, -(2**63)]
    if value.is_float:
        numbers += [0.1, -0.0, 1e300, 16777217.0]
    literals = [(f"const_{value}({number!r})", twins.const(value, number)) for number in numbers]
    # A Python integer past int64 is a uint64 to Numba.
    largest = twins.cast(value, np.full(value.lanes, 2**64 - 1, np.uint64))
    literals.append((f"const_{value}({2**64 - 1})", largest))
    indices = [-(2**63), -300, -1, 0, 1, 77, 127, 250, 2**31 - 4, 2**40 + 5, 2**63 - 1]
    expressions = list(literals)
    for position, i in enumerate(indices):
        expressions.append((f"value_{value}(load{position})", twins.value(value, i)))
    if not value.is_bool:
        expressions.append((f"iota_{value}()", twins.iota(value)))
    lines = [f"load{p} = index(load_i64(indices + {8 * p}))" for p in range(len(indices))]
    lines += [f"store_{value}(out + {n * value.bytes}, {text})" for n, (text, _) in enumerate(expressions)]
    out = np.zeros((len(expressions), value.lanes), value.element.dtype)
    compile_kernel(lines, "out, indices")(out.ctypes.data, np.array(indices, np.int64).ctypes.data)
    for (text, meaning), actual in zip(expressions, out, strict=True):
        assert actual.tobytes() == meaning.tobytes(), f"{text}: {actual} instead of {meaning}"


@pytest.mark.parametrize("name", [n for n, e in ELEMENTS.items() if e.kind in "uib"])
def test_index(name: str, compile_kernel: Compile) -> None:
    """A value as a Numba integer: the sign is kept, and u64 wraps."""
    value = value_type(name)
    element = value.element
    numbers = np.array([0, 1, element.maximum, element.minimum], element.dtype)
    out = np.zeros(4, np.int64)
    lines = [
        "for i in range(4):",
        f"    store_i64(out + i * 8, value_i64(index(load_{value}(src + i * {value.bytes}))))",
    ]
    compile_kernel(lines, "src, out")(numbers.ctypes.data, out.ctypes.data)
    assert out.tolist() == [twins.index(number) for number in numbers]


def test_control_flow_carries_values_of_every_kind(compile_kernel: Compile) -> None:
    """Loop-carried vectors, b1 vectors among them, that branches change or not."""
    rows = 200
    source = np.random.default_rng(0).integers(-1000, 1000, (rows, 16), np.int32)
    kernel = compile_kernel(
        [
            "total = const_i32x16(0)",
            "seen = const_b1x16(0)",
            "last = const_b1(1)",
            "low = const_f32(1e9)",
            "for i in range(rows):",
            "    v = load_i32x16(src + i * 64)",
            "    first = load_i32(src + i * 64)",
            "    if bool_(last & (first < const_i32(500))):",
            "        seen |= v > const_i32x16(900)",
            "        total += v",
            "        last = first != const_i32(7)",
            "    elif bool_(~last):",
            "        seen ^= const_b1x16(1)",
            "        last = ~last",
            "    else:",
            "        total -= const_i32x16(1)",
            "        low = vmin(low, cast_f32(first))",
            "    while bool_(reduce_max(total) > const_i32(2000)):",
            "        total >>= const_i32x16(1)",
            "    if i == 150:",
            "        break",
            "store_i32x16(out, total)",
            "store_b1x16(out + 64, seen)",
            "store_b1(out + 80, last)",
            "store_f32(out + 84, low)",
        ],
        "src, out, rows",
    )
    out = np.zeros(88, np.uint8)
    kernel(source.ctypes.data, out.ctypes.data, rows)
    total, seen, last, low = np.zeros(16, np.int32), np.zeros(16, bool), True, np.float32(1e9)
    for i in range(151):
        v = source[i]
        if last and v[0] < 500:
            seen, total, last = seen | (v > 900), total + v, v[0] != 7
        elif not last:
            seen, last = ~seen, True
        else:
            total, low = total - 1, min(low, np.float32(v[0]))
        while total.max() > 2000:
            total >>= 1
    assert out[:64].tobytes() == total.tobytes()
    assert out[64:80].tobytes() == seen.tobytes()
    assert bool(out[80]) == last
    assert out[84:].tobytes() == low.tobytes()


def test_floats_are_not_contracted(compile_kernel: Compile) -> None:
    """`x * y + z` rounds twice: there is no fused multiply-add."""
    random = np.random.default_rng(0)
    x, y, z = (random.normal(0, 1, (64, 16)).astype(np.float32) for _ in range(3))
    out = np.empty_like(x)
    load = "load_f32x16({} + i * 64)"
    expression = f"{load.format('x')} * {load.format('y')} + {load.format('z')}"
    kernel = compile_kernel(["for i in range(64):", f"    store_f32x16(out + i * 64, {expression})"], "x, y, z, out")
    kernel(*(array.ctypes.data for array in (x, y, z, out)))
    assert out.tobytes() == (x * y + z).tobytes()
    fused = (x.astype(np.float64) * y + z).astype(np.float32)
    assert (fused != out).any(), "the inputs tell one rounding from two"
