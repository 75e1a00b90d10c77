"""LLVM building blocks shared by the operations: constants, broadcasts, lanes, intrinsic calls."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from llvmlite import ir

from autosched.codegen.simd.types import ValueType

I1 = ir.IntType(1)
I8 = ir.IntType(8)
I32 = ir.IntType(32)
I64 = ir.IntType(64)
POINTER = ir.PointerType()


@lru_cache(maxsize=None)
def constant(value: ValueType, number: int | float) -> ir.Constant:
    """Every lane is `number`."""
    scalar = ir.Constant(value.element.llvm, number)
    return scalar if value.lanes == 1 else ir.Constant(value.llvm, [scalar] * value.lanes)


@lru_cache(maxsize=None)
def lane_numbers(value: ValueType) -> ir.Constant:
    """The constant 0, 1, 2, … (integers wrap)."""
    if value.is_float:
        numbers: list[int | float] = [float(lane) for lane in range(value.lanes)]
    else:
        numbers = [lane % (1 << value.element.bits) for lane in range(value.lanes)]
    scalars = [ir.Constant(value.element.llvm, number) for number in numbers]
    return scalars[0] if value.lanes == 1 else ir.Constant(value.llvm, scalars)


@lru_cache(maxsize=None)
def _lane_mask(lanes: tuple[int, ...]) -> ir.Constant:
    return ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))


def shuffle(builder: ir.IRBuilder, first: ir.Value, second: ir.Value | None, lanes: Sequence[int]) -> ir.Value:
    """Lane i of the result is lane `lanes[i]` of `first` and `second` put end to end.

    Without a `second` its lanes are undefined, for where the value does not matter.
    """
    other = ir.Constant(first.type, ir.Undefined) if second is None else second
    return builder.shuffle_vector(first, other, _lane_mask(tuple(lanes)))


def splat(builder: ir.IRBuilder, scalar: ir.Value, lanes: int) -> ir.Value:
    """`scalar` in each of `lanes` lanes."""
    if lanes == 1:
        return scalar
    empty = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    first = builder.insert_element(empty, scalar, ir.Constant(I32, 0))
    return shuffle(builder, first, None, [0] * lanes)


def lane(builder: ir.IRBuilder, vector: ir.Value, index: int) -> ir.Value:
    """One lane; a scalar is its own lane 0."""
    if not isinstance(vector.type, ir.VectorType):
        return vector
    return builder.extract_element(vector, ir.Constant(I32, index))


def from_lanes(builder: ir.IRBuilder, scalars: Sequence[ir.Value]) -> ir.Value:
    """The value with these lanes."""
    if len(scalars) == 1:
        return scalars[0]
    result: ir.Value = ir.Constant(ir.VectorType(scalars[0].type, len(scalars)), ir.Undefined)
    for index, scalar in enumerate(scalars):
        result = builder.insert_element(result, scalar, ir.Constant(I32, index))
    return result


def call(builder: ir.IRBuilder, name: str, result: ir.Type, *values: ir.Value) -> ir.Value:
    """Call the LLVM intrinsic or C function `name`, declared by hand from the argument types."""
    module = builder.module
    function = module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(result, [value.type for value in values])
        function = ir.Function(module, kind, name)
    return builder.call(function, values)
