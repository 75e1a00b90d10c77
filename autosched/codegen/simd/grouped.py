"""Widening dot products: i32 lanes that each hold a group of narrow integers, two of 16 bits or four of 8.

`pairs` and `quads` make groups from vectors (`permute` from a window of bytes); `dot_pairs` and `dot_quads` multiply
groups and add each group's products to an i32 lane, wrapping.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.convert import convert
from autosched.codegen.simd.definition import Lowering, family, same_argument, value_argument
from autosched.codegen.simd.types import ValueType

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value
#: acc, data and weights of a few lanes to their sum.
Step: TypeAlias = Callable[[Builder, Value, Value, Value], Value]


def _i32(operation: str, value: ValueType) -> ValueType:
    if value.element.name != "i32":
        raise NumbaTypeError(f"{operation}: groups are i32, not {value}")
    return value


def _interleave(b: Builder, parts: Sequence[Value], lanes: int) -> Value:
    """Lane i of every part, then lane i + 1 of every part, and so on; two or four parts."""
    if lanes == 1:
        return emit.from_lanes(b, list(parts))
    while len(parts) > 1:
        half = len(parts) // 2
        width = parts[0].type.count
        order = [lane + side for lane in range(width) for side in (0, width)]
        parts = [emit.shuffle(b, p, q, order) for p, q in zip(parts[:half], parts[half:], strict=True)]
    return parts[0]


@family("pairs", typed=True)
def _pairs(value: ValueType, first: types.Type, second: types.Type) -> Lowering:
    """Groups of two 16-bit integers, from u8, i8 or i16."""
    operation = f"pairs_{_i32('pairs', value)}"
    given = [value_argument(operation, w, t) for w, t in (("first", first), ("second", second))]
    for factor in given:
        if factor.lanes != value.lanes or factor.element.name not in ("u8", "i8", "i16"):
            raise NumbaTypeError(f"{operation}: parts are u8, i8 or i16 with {value.lanes} lanes, not {factor}")
    wide = ValueType("i16", 2 * value.lanes)

    def emit_one(b: Builder, p: Value, q: Value) -> Value:
        if given[0] == given[1]:  # bytes are interleaved before they are widened: half the width to move
            both = ValueType(given[0].element.name, 2 * value.lanes)
            return b.bitcast(convert(b, both, wide, _interleave(b, [p, q], value.lanes)), value.llvm)
        half = value.of("i16")
        parts = [convert(b, f, half, v) for f, v in zip(given, (p, q), strict=True)]
        return b.bitcast(_interleave(b, parts, value.lanes), value.llvm)

    return Lowering(value, tuple(given), emit_one)


@family("quads", typed=True)
def _quads(value: ValueType, a: types.Type, b: types.Type, c: types.Type, d: types.Type) -> Lowering:
    """Groups of four bytes, from u8 or i8."""
    operation = f"quads_{_i32('quads', value)}"
    given = [value_argument(operation, w, t) for w, t in zip("abcd", (a, b, c, d), strict=True)]
    for factor in given:
        if factor.lanes != value.lanes or factor.element.bits != 8:
            raise NumbaTypeError(f"{operation}: parts are u8 or i8 with {value.lanes} lanes, not {factor}")

    def emit_one(b: Builder, *parts: Value) -> Value:
        # halves are interleaved first: (a, c), (b, d), then those, so that the order is a b c d
        return b.bitcast(_interleave(b, parts, value.lanes), value.llvm)

    return Lowering(value, tuple(given), emit_one)


def _dot(name: str) -> None:
    @family(name, typed=True)
    def resolve(value: ValueType, acc: types.Type, data: types.Type, weights: types.Type) -> Lowering:
        """acc + the sum of products of each group; pairs are i16 x i16, quads u8 x i8. Wrapping i32."""
        operation = f"{name}_{_i32(name, value)}"
        for which, given in (("acc", acc), ("data", data), ("weights", weights)):
            same_argument(operation, which, given, value)
        width = min(value.lanes, 16)
        step = _pair_step(width) if name == "dot_pairs" else _quad_step(width)

        def emit_one(b: Builder, total: Value, p: Value, q: Value) -> Value:
            if value.lanes == width:
                return step(b, total, p, q)
            pieces = []
            for first in range(0, value.lanes, width):
                lanes = range(first, first + width)
                pieces.append(step(b, *(emit.shuffle(b, v, None, lanes) for v in (total, p, q))))
            while len(pieces) > 1:
                size = pieces[0].type.count
                pieces = [
                    emit.shuffle(b, x, y, range(2 * size)) for x, y in zip(pieces[::2], pieces[1::2], strict=True)
                ]
            return pieces[0]

        return Lowering(value, (value, value, value), emit_one)


def _pair_step(lanes: int) -> Step:
    value, half = ValueType("i32", lanes), ValueType("i16", 2 * lanes)
    instruction = target.pair_sum_intrinsic(lanes)

    def step(b: Builder, acc: Value, data: Value, weights: Value) -> Value:
        p, q = b.bitcast(data, half.llvm), b.bitcast(weights, half.llvm)
        if instruction:
            return b.add(acc, emit.call(b, instruction, value.llvm, p, q))
        return _sum_groups(b, value, acc, convert(b, half, half.of("i32"), p), convert(b, half, half.of("i32"), q), 2)

    return step


def _quad_step(lanes: int) -> Step:
    value = ValueType("i32", lanes)
    unsigned, signed = ValueType("u8", 4 * lanes), ValueType("i8", 4 * lanes)
    instruction = target.quad_sum_intrinsic(lanes)

    def step(b: Builder, acc: Value, data: Value, weights: Value) -> Value:
        if instruction:
            return emit.call(b, instruction, value.llvm, acc, data, weights)
        p, q = b.bitcast(data, unsigned.llvm), b.bitcast(weights, signed.llvm)
        wide = unsigned.of("i32")
        return _sum_groups(b, value, acc, convert(b, unsigned, wide, p), convert(b, signed, wide, q), 4)

    return step


def _sum_groups(b: Builder, value: ValueType, acc: Value, p: Value, q: Value, group: int) -> Value:
    products = b.mul(p, q)
    for j in range(group):
        part = (
            emit.lane(b, products, j)
            if value.lanes == 1
            else emit.shuffle(b, products, None, range(j, group * value.lanes, group))
        )
        acc = b.add(acc, part)
    return acc


_dot("dot_pairs")
_dot("dot_quads")
