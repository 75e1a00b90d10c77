"""Groups of bytes in staggered order: made, and narrowed again, without anything crossing 16-byte blocks.

x86 interleaves and packs bytes within blocks of 16. Sixteen lanes x of a block are four quarters of four; in staggered
order all first quarters come first, then all second ones, and so on. What is done to all lanes alike in between does
not see the order, and narrowing to bytes undoes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.convert import saturate
from autosched.codegen.simd.definition import Lowering, family, value_argument
from autosched.codegen.simd.types import ValueType

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value

BLOCK = 16
_QUARTER = 4


def order(lanes: int) -> list[int]:
    """The lane that is at each place of the staggered order."""
    blocks = range(0, lanes, BLOCK)
    return [block + quarter + i for quarter in range(0, BLOCK, _QUARTER) for block in blocks for i in range(_QUARTER)]


def _checked(operation: str, value: ValueType) -> None:
    if value.lanes % BLOCK:
        raise NumbaTypeError(f"{operation}: lanes are a multiple of {BLOCK}, not {value.lanes}")


def _unpacked(b: Builder, first: Value, second: Value, half: int) -> Value:
    """Lanes of both in turn, from the lower or upper `half` of each block."""
    width = BLOCK * 8 // first.type.element.width
    picked = [
        block + width // 2 * half + i + side
        for block in range(0, first.type.count, width)
        for i in range(width // 2)
        for side in (0, first.type.count)
    ]
    return emit.shuffle(b, first, second, picked)


def _joined(b: Builder, parts: Sequence[Value]) -> Value:
    """Parts end to end."""
    while len(parts) > 1:
        size = parts[0].type.count
        parts = [emit.shuffle(b, p, q, range(2 * size)) for p, q in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


@family("quads_staggered", typed=True)
def _quads(value: ValueType, a: types.Type, b: types.Type, c: types.Type, d: types.Type) -> Lowering:
    """`quads` in staggered order."""
    operation = f"quads_staggered_{value}"
    _checked(operation, value)
    given = [value_argument(operation, w, t) for w, t in zip("abcd", (a, b, c, d), strict=True)]
    for factor in given:
        if value.element.name != "i32" or factor.lanes != value.lanes or factor.element.bits != 8:
            raise NumbaTypeError(f"{operation}: parts are u8 or i8 with {value.lanes} lanes, not {factor}")
    words = ir.VectorType(ir.IntType(16), value.lanes // 2)
    quarter = ir.VectorType(emit.I32, value.lanes // 4)

    def emit_one(b: Builder, *parts: Value) -> Value:
        quarters = []
        for half in (0, 1):
            pairs = ((parts[0], parts[1]), (parts[2], parts[3]))
            ab, cd = (b.bitcast(_unpacked(b, p, q, half), words) for p, q in pairs)
            quarters += [b.bitcast(_unpacked(b, ab, cd, part), quarter) for part in (0, 1)]
        return _joined(b, quarters)

    return Lowering(value, tuple(given), emit_one)


@family("sat_staggered", typed=True)
def _sat(value: ValueType, v: types.Type) -> Lowering:
    """`sat` of i32 in staggered order to bytes in their own."""
    operation = f"sat_staggered_{value}"
    _checked(operation, value)
    source = value_argument(operation, "v", v)
    if value.element.name != "u8" or source != value.of("i32"):
        raise NumbaTypeError(f"{operation}: v must be {value.of('i32')} and the result u8, not {source} and {value}")
    quarter = value.lanes // 4
    words, bytes_ = target.pack_intrinsics(quarter) or ("", "")

    def emit_fast(b: Builder, x: Value) -> Value:
        half = ir.VectorType(ir.IntType(16), 2 * quarter)
        parts = [emit.shuffle(b, x, None, range(i, i + quarter)) for i in range(0, value.lanes, quarter)]
        pairs = [emit.call(b, words, half, p, q) for p, q in zip(parts[::2], parts[1::2], strict=True)]
        return emit.call(b, bytes_, value.llvm, *pairs)

    def emit_slow(b: Builder, x: Value) -> Value:
        places = order(value.lanes)
        natural = [places.index(lane) for lane in range(value.lanes)]
        return saturate(b, source, value, emit.shuffle(b, x, None, natural))

    return Lowering(value, (source,), emit_fast if words else emit_slow)
