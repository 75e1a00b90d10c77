"""Operations for which some targets have an instruction that LLVM does not find by itself."""

from __future__ import annotations

from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.convert import convert
from autosched.codegen.simd.definition import (
    Emit,
    Lowering,
    family,
    integer_argument,
    same_argument,
    value_argument,
)
from autosched.codegen.simd.memory import load, offsets_argument, pick
from autosched.codegen.simd.types import ValueType

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value

_WINDOW = ValueType("u8", 64)


def has_permute() -> bool:
    """Whether permute64_T and permute128_T are instructions rather than scalar loads."""
    return target.has_byte_permute()


def _permute(window: int) -> None:
    name = f"permute{window}"

    @family(name, typed=True)
    def resolve(value: ValueType, addr: types.Type, offsets: types.Type) -> Lowering:
        operation = f"{name}_{value}"
        plain = integer_argument(operation, "addr", addr)
        given = offsets_argument(operation, value, offsets)
        if not value.is_integer or value.element.bits > 16:
            raise NumbaTypeError(f"{operation}: only one-byte and two-byte integers are permuted")
        if value.lanes == 1 or value.bytes > 64 or not has_permute():
            return Lowering(value, (plain, given), lambda b, a, o: pick(b, value, given, a, o))

        def emit_one(b: Builder, address: Value, offset: Value) -> Value:
            index = _byte_index(b, value, given, offset)
            first = load(b, _WINDOW, address)
            if window == 64:
                moved = emit.call(b, "llvm.x86.avx512.permvar.qi.512", _WINDOW.llvm, first, index)
            else:
                second = load(b, _WINDOW, b.add(address, ir.Constant(emit.I64, 64)))
                moved = emit.call(b, "llvm.x86.avx512.vpermi2var.qi.512", _WINDOW.llvm, first, index, second)
            low = moved
            if value.bytes < 64:
                low = emit.shuffle(b, moved, None, range(value.bytes))
            return low if value.element.bits == 8 else b.bitcast(low, value.llvm)

        return Lowering(value, (plain, given), emit_one)


_permute(64)
_permute(128)


def _byte_index(b: Builder, value: ValueType, given: ValueType, offsets: Value) -> Value:
    """A <64 x i8> whose first lanes say which byte each byte of the result is."""
    element = value.element.bits
    index = convert(b, given, given.of(f"u{element}"), offsets)
    if element == 16:
        # Little endian: the low byte of a lane is first. (offset + 1) << 8 | offset.
        pair = value.of("u16")
        high = b.shl(b.add(index, emit.constant(pair, 1)), emit.constant(pair, 8))
        index = b.bitcast(b.or_(high, index), ir.VectorType(emit.I8, value.bytes))
    if value.bytes == 64:
        return index
    lanes = [*range(value.bytes), *[value.bytes] * (64 - value.bytes)]
    return emit.shuffle(b, index, None, lanes)


@family("dot2", typed=True)
def _dot2(value: ValueType, acc: types.Type, a: types.Type, b: types.Type, c: types.Type, d: types.Type) -> Lowering:
    """`acc + a*b + c*d` in wrapping i32; the factors have 16 bits or fewer."""
    operation = f"dot2_{value}"
    if value.element.name != "i32":
        raise NumbaTypeError(f"{operation}: the result of dot2 is i32")
    same_argument(operation, "acc", acc, value)
    factors = tuple(_factor(operation, which, value, given) for which, given in zip("abcd", (a, b, c, d), strict=True))
    instruction = target.pair_sum_intrinsic(value.lanes)
    step = _pairs(value, factors, instruction) if instruction else _products(value, factors)
    return Lowering(value, (value, *factors), step)


def _factor(operation: str, which: str, value: ValueType, given: types.Type) -> ValueType:
    factor = value_argument(operation, which, given)
    if factor.lanes != value.lanes or factor.element.name not in ("u8", "i8", "i16"):
        raise NumbaTypeError(f"{operation}: {which} must be u8, i8 or i16 with {value.lanes} lanes, not {factor}")
    return factor


def _pairs(value: ValueType, factors: tuple[ValueType, ...], instruction: str) -> Emit:
    half = value.of("i16")
    order = [lane + side for lane in range(value.lanes) for side in (0, value.lanes)]

    def emit_one(b: Builder, acc: Value, *values: Value) -> Value:
        p, q, r, s = (convert(b, f, half, v) for f, v in zip(factors, values, strict=True))
        left, right = emit.shuffle(b, p, r, order), emit.shuffle(b, q, s, order)
        return b.add(acc, emit.call(b, instruction, value.llvm, left, right))

    return emit_one


def _products(value: ValueType, factors: tuple[ValueType, ...]) -> Emit:
    def emit_one(b: Builder, acc: Value, *values: Value) -> Value:
        p, q, r, s = (convert(b, f, value, v) for f, v in zip(factors, values, strict=True))
        return b.add(b.add(acc, b.mul(p, q)), b.mul(r, s))

    return emit_one
