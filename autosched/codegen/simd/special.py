"""Operations for which some targets have an instruction that LLVM does not find by itself."""

from __future__ import annotations

from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.convert import convert
from autosched.codegen.simd.definition import Lowering, family, integer_argument
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
