"""Rounding f32 to 16 bits, to nearest and ties to even; the results are u16.

bf16 is a few operations on integers everywhere: the instruction for it takes subnormals for zero. For f16 there is an
instruction that does it right, or arithmetic where the CPU lacks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.definition import Lowering, family, value_argument
from autosched.codegen.simd.types import ValueType
from autosched.lang.halves import NAN

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value


def _rounding(name: str, chosen: Callable[[Builder, ValueType, Value], Value]) -> None:
    @family(f"round_{name}", typed=False)
    def resolve(v: types.Type) -> Lowering:
        source = value_argument(f"round_{name}", "v", v)
        if source.element.name != "f32":
            raise NumbaTypeError(f"round_{name}: v must be f32, not {source}")
        made = source.of("u16")

        def emit_one(b: Builder, x: Value) -> Value:
            nan = b.fcmp_unordered("uno", x, x)
            return b.select(nan, emit.constant(made, NAN[name]), chosen(b, source, x))

        return Lowering(made, (source,), emit_one)


def _bits(b: Builder, source: ValueType, x: Value) -> Value:
    return b.bitcast(x, source.of("u32").llvm)


def _bf16(b: Builder, source: ValueType, x: Value) -> Value:
    word, bits = source.of("u32"), _bits(b, source, x)
    sixteen = emit.constant(word, 16)
    odd = b.and_(b.lshr(bits, sixteen), emit.constant(word, 1))
    rounded = b.add(bits, b.add(odd, emit.constant(word, 0x7FFF)))
    return b.trunc(b.lshr(rounded, sixteen), source.of("u16").llvm)


def _f16(b: Builder, source: ValueType, x: Value) -> Value:
    if not target.has_half():
        return _f16_by_arithmetic(b, source, x)
    half = ir.HalfType()
    made = b.fptrunc(x, half if source.lanes == 1 else ir.VectorType(half, source.lanes))
    return b.bitcast(made, source.of("u16").llvm)


def _f16_by_arithmetic(b: Builder, source: ValueType, x: Value) -> Value:
    word, bits = source.of("u32"), _bits(b, source, x)

    def number(value: int) -> Value:
        return emit.constant(word, value)

    magnitude = b.and_(bits, number(0x7FFFFFFF))
    sign = b.lshr(b.and_(bits, number(0x80000000)), number(16))
    # Below 2^-14, adding 0.5 leaves units of 2^-24 at the end of the fraction, rounded as additions are.
    moved = b.fadd(b.bitcast(magnitude, source.llvm), emit.constant(source, 0.5))
    small = b.sub(_bits(b, source, moved), number(0x3F000000))
    # Elsewhere the exponent's bias changes from 127 to 15, and 13 bits of the fraction go.
    odd = b.and_(b.lshr(magnitude, number(13)), number(1))
    normal = b.lshr(b.add(b.sub(magnitude, number(112 << 23)), b.add(odd, number(0xFFF))), number(13))
    made = b.select(b.icmp_unsigned("<", magnitude, number(113 << 23)), small, normal)
    made = b.select(b.icmp_unsigned("<", magnitude, number(143 << 23)), made, number(0x7C00))
    return b.trunc(b.or_(made, sign), source.of("u16").llvm)


_rounding("bf16", _bf16)
_rounding("f16", _f16)
