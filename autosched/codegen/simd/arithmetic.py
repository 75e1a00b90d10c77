"""Operators on value types, and the named operations that are arithmetic within one type."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.definition import (
    Lowering,
    define_operator,
    family,
    same_argument,
    value_argument,
)
from autosched.codegen.simd.types import ValueType

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value
EmitBinary = Callable[[Builder, Value, Value], Value]
EmitUnary = Callable[[Builder, Value], Value]


def _binary(value: ValueType, emit_one: EmitBinary) -> Lowering:
    return Lowering(value, (value, value), emit_one)


def _unary(value: ValueType, emit_one: EmitUnary) -> Lowering:
    return Lowering(value, (value,), emit_one)


def _reject(symbol: str, value: ValueType, accepted: str) -> NumbaTypeError:
    return NumbaTypeError(f"{symbol} is not defined on {value}; it needs {accepted}")


# Operators.


def _wrapping(symbol: str, integer: str, floating: str) -> Callable[[ValueType], Lowering]:
    def resolve(value: ValueType) -> Lowering:
        if value.is_bool:
            raise _reject(symbol, value, "integers or floats")
        method = floating if value.is_float else integer
        return _binary(value, lambda b, x, y: getattr(b, method)(x, y))

    return resolve


def _divide(value: ValueType) -> Lowering:
    if not value.is_float:
        raise _reject("/", value, "floats (use // on integers)")
    return _binary(value, lambda b, x, y: b.fdiv(x, y))


def _floor_divide(value: ValueType) -> Lowering:
    return _binary(value, lambda b, x, y: _quotient_remainder(b, value, x, y)[0])


def _modulo(value: ValueType) -> Lowering:
    return _binary(value, lambda b, x, y: _quotient_remainder(b, value, x, y)[1])


def _integers_only(symbol: str, resolve: Callable[[ValueType], Lowering]) -> Callable[[ValueType], Lowering]:
    def checked(value: ValueType) -> Lowering:
        if not value.is_integer:
            raise _reject(symbol, value, "integers")
        return resolve(value)

    return checked


def _quotient_remainder(b: Builder, value: ValueType, x: Value, y: Value) -> tuple[Value, Value]:
    """Floor division and modulo that cannot trap: the divisor is replaced where it would."""
    zero, one = emit.constant(value, 0), emit.constant(value, 1)
    by_zero = b.icmp_unsigned("==", y, zero)
    if not value.is_signed:
        divisor = b.select(by_zero, one, y)
        quotient, remainder = b.udiv(x, divisor), b.urem(x, divisor)
        return b.select(by_zero, zero, quotient), b.select(by_zero, zero, remainder)
    # MIN // -1 wraps to MIN, which is MIN // 1.
    overflow = b.and_(
        b.icmp_unsigned("==", y, emit.constant(value, -1)),
        b.icmp_unsigned("==", x, emit.constant(value, value.element.minimum)),
    )
    divisor = b.select(b.or_(by_zero, overflow), one, y)
    quotient, remainder = b.sdiv(x, divisor), b.srem(x, divisor)
    inexact = b.icmp_unsigned("!=", remainder, zero)
    opposite = b.icmp_signed("<", b.xor(remainder, divisor), zero)
    below = b.and_(inexact, opposite)
    quotient = b.select(below, b.sub(quotient, one), quotient)
    remainder = b.select(below, b.add(remainder, divisor), remainder)
    return b.select(by_zero, zero, quotient), remainder


def _bitwise(symbol: str, method: str) -> Callable[[ValueType], Lowering]:
    def resolve(value: ValueType) -> Lowering:
        if value.is_float:
            raise _reject(symbol, value, "integers or b1")
        return _binary(value, lambda b, x, y: getattr(b, method)(x, y))

    return resolve


def _shift(left: bool) -> Callable[[ValueType], Lowering]:
    def resolve(value: ValueType) -> Lowering:
        method = "shl" if left else "ashr" if value.is_signed else "lshr"

        def emit_one(b: Builder, x: Value, y: Value) -> Value:
            amount = b.and_(y, emit.constant(value, value.element.bits - 1))
            return getattr(b, method)(x, amount)

        return _binary(value, emit_one)

    return resolve


def _compare(symbol: str) -> Callable[[ValueType], Lowering]:
    def resolve(value: ValueType) -> Lowering:
        def emit_one(b: Builder, x: Value, y: Value) -> Value:
            return compare(b, value, symbol, x, y)

        return Lowering(value.of("b1"), (value, value), emit_one)

    return resolve


def compare(b: Builder, value: ValueType, symbol: str, x: Value, y: Value) -> Value:
    """An i1 per lane; with NaN only `!=` holds."""
    if value.is_float:
        return (b.fcmp_unordered if symbol == "!=" else b.fcmp_ordered)(symbol, x, y)
    return (b.icmp_signed if value.is_signed else b.icmp_unsigned)(symbol, x, y)


def _negate(value: ValueType) -> Lowering:
    if value.is_bool:
        raise _reject("unary -", value, "integers or floats (use ~ on b1)")
    if value.is_float:
        return _unary(value, lambda b, x: b.fneg(x))
    return _unary(value, lambda b, x: b.sub(emit.constant(value, 0), x))


def _invert(value: ValueType) -> Lowering:
    if value.is_float:
        raise _reject("~", value, "integers or b1")
    ones = emit.constant(value, 1 if value.is_bool else -1)
    return _unary(value, lambda b, x: b.xor(x, ones))


for _symbol, _operators, _resolve in (
    ("+", (operator.add, operator.iadd), _wrapping("+", "add", "fadd")),
    ("-", (operator.sub, operator.isub), _wrapping("-", "sub", "fsub")),
    ("*", (operator.mul, operator.imul), _wrapping("*", "mul", "fmul")),
    ("/", (operator.truediv, operator.itruediv), _divide),
    ("//", (operator.floordiv, operator.ifloordiv), _integers_only("//", _floor_divide)),
    ("%", (operator.mod, operator.imod), _integers_only("%", _modulo)),
    ("&", (operator.and_, operator.iand), _bitwise("&", "and_")),
    ("|", (operator.or_, operator.ior), _bitwise("|", "or_")),
    ("^", (operator.xor, operator.ixor), _bitwise("^", "xor")),
    ("<<", (operator.lshift, operator.ilshift), _integers_only("<<", _shift(left=True))),
    (">>", (operator.rshift, operator.irshift), _integers_only(">>", _shift(left=False))),
    ("==", (operator.eq,), _compare("==")),
    ("!=", (operator.ne,), _compare("!=")),
    ("<", (operator.lt,), _compare("<")),
    ("<=", (operator.le,), _compare("<=")),
    (">", (operator.gt,), _compare(">")),
    (">=", (operator.ge,), _compare(">=")),
    ("unary -", (operator.neg,), _negate),
    ("~", (operator.invert,), _invert),
):
    for _operator in _operators:
        define_operator(_operator, _symbol, _resolve)


# Named operations.


def minimum(b: Builder, value: ValueType, x: Value, y: Value) -> Value:
    """`y if y < x else x` in each lane."""
    if value.is_float:
        return b.select(b.fcmp_ordered("<", y, x), y, x)
    name = "smin" if value.is_signed else "umin"
    return emit.call(b, f"llvm.{name}.{value.suffix}", value.llvm, x, y)


def maximum(b: Builder, value: ValueType, x: Value, y: Value) -> Value:
    """`y if x < y else x` in each lane."""
    if value.is_float:
        return b.select(b.fcmp_ordered("<", x, y), y, x)
    name = "smax" if value.is_signed else "umax"
    return emit.call(b, f"llvm.{name}.{value.suffix}", value.llvm, x, y)


def _extremum(name: str, chosen: Callable[..., Value]) -> None:
    @family(name, typed=False)
    def resolve(a: types.Type, b: types.Type) -> Lowering:
        value = value_argument(name, "a", a)
        same_argument(name, "b", b, value)
        if value.is_bool:
            raise _reject(name, value, "integers or floats (use & or | on b1)")
        return _binary(value, lambda builder, x, y: chosen(builder, value, x, y))


_extremum("vmin", minimum)
_extremum("vmax", maximum)


@family("vabs", typed=False)
def _absolute(a: types.Type) -> Lowering:
    """The absolute value; the most negative integer stays as it is."""
    value = value_argument("vabs", "a", a)
    if value.is_bool:
        raise _reject("vabs", value, "integers or floats")
    if value.is_float:
        return _unary(value, lambda b, x: emit.call(b, f"llvm.fabs.{value.suffix}", value.llvm, x))
    if not value.is_signed:
        return _unary(value, lambda b, x: x)
    wraps = ir.Constant(emit.I1, 0)
    return _unary(value, lambda b, x: emit.call(b, f"llvm.abs.{value.suffix}", value.llvm, x, wraps))


def _rounding(name: str, intrinsic: str) -> None:
    @family(name, typed=False)
    def resolve(a: types.Type) -> Lowering:
        value = value_argument(name, "a", a)
        if not value.is_float:
            raise _reject(name, value, "floats")
        full = f"llvm.{intrinsic}.{value.suffix}"
        return _unary(value, lambda b, x: emit.call(b, full, value.llvm, x))


_rounding("vsqrt", "sqrt")
_rounding("vfloor", "floor")
_rounding("vceil", "ceil")
_rounding("vtrunc", "trunc")
_rounding("vrint", "rint")


@family("vfma", typed=False)
def _fused(a: types.Type, b: types.Type, c: types.Type) -> Lowering:
    """a * b + c in f32, rounded once."""
    value = value_argument("vfma", "a", a)
    same_argument("vfma", "b", b, value)
    same_argument("vfma", "c", c, value)
    if value.element.name != "f32":
        raise NumbaTypeError(f"vfma: needs f32 lanes, not {value}")
    return Lowering(value, (value, value, value), partial(_multiply_add, value))


def _multiply_add(value: ValueType, b: Builder, x: Value, y: Value, z: Value) -> Value:
    if target.has_fma():
        return emit.call(b, f"llvm.fma.{value.suffix}", value.llvm, x, y, z)
    # The steps of `lang.fused`, where they are explained.
    wide, bits = value.of("f64"), value.of("i64")
    x, y, z = (b.fpext(v, wide.llvm) for v in (x, y, z))
    product = b.fmul(x, y)
    total = b.fadd(product, z)
    moved = b.fsub(total, product)
    error = b.fadd(b.fsub(product, b.fsub(total, moved)), b.fsub(z, moved))
    zero, one = emit.constant(wide, 0.0), emit.constant(bits, 1)
    number = b.bitcast(total, bits.llvm)
    same_sign = b.icmp_unsigned("==", b.fcmp_ordered("<", error, zero), b.fcmp_ordered("<", total, zero))
    nearer = b.select(same_sign, one, emit.constant(bits, -1))
    even = b.icmp_unsigned("==", b.and_(number, one), emit.constant(bits, 0))
    moves = b.and_(b.fcmp_ordered("!=", error, zero), even)
    odd = b.select(moves, b.add(number, nearer), number)
    return b.fptrunc(b.bitcast(odd, wide.llvm), value.llvm)


@family("select", typed=False)
def _select(condition: types.Type, a: types.Type, b: types.Type) -> Lowering:
    """`a` where `condition` holds, else `b`; a one-lane condition chooses all lanes."""
    value = value_argument("select", "a", a)
    same_argument("select", "b", b, value)
    chooser = value_argument("select", "condition", condition)
    if not chooser.is_bool or chooser.lanes not in (1, value.lanes):
        expected = "b1" if value.lanes == 1 else f"{value.of('b1')} or b1"
        raise NumbaTypeError(f"select: condition must be {expected}, not {chooser}")
    return Lowering(value, (chooser, value, value), lambda b, c, x, y: b.select(c, x, y))


def _reduction(name: str, integer: str, chosen: Callable[..., Value] | None) -> None:
    @family(name, typed=False)
    def resolve(a: types.Type) -> Lowering:
        value = value_argument(name, "a", a)
        if value.is_integer:
            if value.lanes == 1:
                return _unary(value, lambda b, x: x)
            sign = "" if chosen is None else "s" if value.is_signed else "u"
            full = f"llvm.vector.reduce.{sign}{integer}.{value.suffix}"
            return Lowering(value.scalar, (value,), lambda b, x: emit.call(b, full, value.element.llvm, x))
        if chosen is None or not value.is_float:
            raise _reject(name, value, "integers" if chosen is None else "integers or floats")

        def in_lane_order(b: Builder, x: Value) -> Value:
            result = emit.lane(b, x, 0)
            for index in range(1, value.lanes):
                result = chosen(b, value.scalar, result, emit.lane(b, x, index))
            return result

        return Lowering(value.scalar, (value,), in_lane_order)


_reduction("reduce_add", "add", None)
_reduction("reduce_mul", "mul", None)
_reduction("reduce_min", "min", minimum)
_reduction("reduce_max", "max", maximum)
