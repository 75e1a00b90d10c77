"""Conversions: between elements, between scalars and vectors, and to and from Numba's integers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit
from autosched.codegen.simd.arithmetic import maximum, minimum
from autosched.codegen.simd.definition import (
    Lowering,
    family,
    integer_argument,
    same_argument,
    value_argument,
)
from autosched.codegen.simd.target import saturates
from autosched.codegen.simd.types import ValueType
from autosched.lang.bits import NAN

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value


def convert(b: Builder, source: ValueType, target: ValueType, x: Value) -> Value:
    """`x` with the element of `target`: integers wrap, floats to integers saturate."""
    if source == target:
        return x
    kind = target.llvm
    if target.is_bool:
        zero = emit.constant(source, 0.0 if source.is_float else 0)
        if source.is_float:
            return b.fcmp_unordered("!=", x, zero)
        return b.icmp_unsigned("!=", x, zero)
    if source.is_float:
        if target.is_float:
            return b.fptrunc(x, kind) if target.element.bits < source.element.bits else b.fpext(x, kind)
        if source.lanes > 1 and not saturates():
            return _truncated(b, source, target, x)
        name = "fptosi" if target.is_signed else "fptoui"
        return emit.call(b, f"llvm.{name}.sat.{target.suffix}.{source.suffix}", kind, x)
    if target.is_float:
        return b.sitofp(x, kind) if source.is_signed else b.uitofp(x, kind)
    if target.element.bits == source.element.bits:
        return x
    if target.element.bits < source.element.bits:
        return b.trunc(x, kind)
    return b.sext(x, kind) if source.is_signed else b.zext(x, kind)


def _truncated(b: Builder, source: ValueType, target: ValueType, x: Value) -> Value:
    """Floats as integers, saturated; NaN becomes 0. LLVM's own `fptosi.sat` goes lane by lane on x86-64.

    Before the conversion values go to the nearest one that converts. Where the greatest integer is no float, that is
    the float before the first beyond; what was beyond is put right afterwards.
    """
    element, dtype = target.element, source.element.dtype.type
    beyond = dtype(element.maximum + 1)
    greatest = dtype(element.maximum)
    whole = greatest < beyond
    if not whole:
        greatest = np.nextafter(beyond, dtype(0))
    inside = maximum(b, source, emit.constant(source, float(element.minimum)), x)  # NaN becomes the least
    inside = minimum(b, source, inside, emit.constant(source, float(greatest)))
    wide = target if element.bits >= 32 else target.of("i32")
    signed = wide.is_signed
    made = b.fptosi(inside, wide.llvm) if signed else b.fptoui(inside, wide.llvm)
    made = convert(b, wide, target, made)
    if not whole:
        above = b.fcmp_ordered(">=", x, emit.constant(source, float(beyond)))
        made = b.select(above, emit.constant(target, element.maximum), made)
    if element.minimum < 0:
        made = b.select(b.fcmp_ordered("ord", x, x), made, emit.constant(target, 0))
    return made


def saturate(b: Builder, source: ValueType, target: ValueType, x: Value) -> Value:
    """As `convert`, but integers outside the range of `target` become its nearest end."""
    if source.is_integer and target.is_integer:
        low, high = target.element.minimum, target.element.maximum
        if source.element.minimum < low:
            x = maximum(b, source, x, emit.constant(source, low))
        if source.element.maximum > high:
            x = minimum(b, source, x, emit.constant(source, high))
    return convert(b, source, target, x)


def _conversion(name: str, chosen: Callable[[Builder, ValueType, ValueType, Value], Value]) -> None:
    @family(name, typed=True)
    def resolve(target: ValueType, v: types.Type) -> Lowering:
        operation = f"{name}_{target}"
        source = value_argument(operation, "v", v)
        if source.lanes != target.lanes:
            raise NumbaTypeError(f"{operation}: v must have {target.lanes} lanes, but it is {source}")
        return Lowering(target, (source,), lambda b, x: chosen(b, source, target, x))


_conversion("cast", convert)
_conversion("sat", saturate)


@family("reinterpret", typed=True)
def _reinterpret(target: ValueType, v: types.Type) -> Lowering:
    """The bits of floats as integers of the same width, those of one NaN for each, or of integers as floats."""
    operation = f"reinterpret_{target}"
    source = value_argument(operation, "v", v)
    kinds = {source.is_float, target.is_float}
    if len(kinds) != 2 or source.is_bool or source.element.bits != target.element.bits or source.lanes != target.lanes:
        wanted = "integers" if target.is_float else "floats"
        raise NumbaTypeError(
            f"{operation}: v must be {target.lanes} {wanted} of {target.element.bits} bits, but it is {source}"
        )

    def emit_one(b: Builder, x: Value) -> Value:
        bits = b.bitcast(x, target.llvm)
        if target.is_float:
            return bits
        nan = emit.constant(target, NAN[target.element.bits])
        return b.select(b.fcmp_unordered("uno", x, x), nan, bits)

    return Lowering(target, (source,), emit_one)


@family("splat", typed=True)
def _splat(target: ValueType, s: types.Type) -> Lowering:
    """The scalar in every lane."""
    source = same_argument(f"splat_{target}", "s", s, target.scalar)
    return Lowering(target, (source,), lambda b, x: emit.splat(b, x, target.lanes))


@family("iota", typed=True)
def _iota(target: ValueType) -> Lowering:
    """0, 1, 2, … (integers wrap)."""
    if target.is_bool:
        raise NumbaTypeError("iota needs integers or floats")
    return Lowering(target, (), lambda b: emit.lane_numbers(target))


@family("const", typed=True)
def _const(target: ValueType, x: types.Type) -> Lowering:
    """A Python number in every lane: integers wrap, floats round to the element."""
    plain: types.Type
    if isinstance(x, types.Boolean):
        source, plain = ValueType("b1", 1), types.boolean
    elif isinstance(x, types.Integer):
        plain = types.int64 if x.signed else types.uint64  # type: ignore[attr-defined]
        source = ValueType("i64" if plain is types.int64 else "u64", 1)
    elif isinstance(x, types.Float) and target.is_float:
        source, plain = ValueType("f64", 1), types.float64
    else:
        expected = "a Python number" if target.is_float else "a Python integer"
        raise NumbaTypeError(f"const_{target}: x must be {expected}, not {x}")

    def emit_one(b: Builder, number: Value) -> Value:
        return emit.splat(b, convert(b, source, target.scalar, number), target.lanes)

    return Lowering(target, (plain,), emit_one)


@family("index", typed=False)
def _index(v: types.Type) -> Lowering:
    """The scalar integer as a Numba int64."""
    source = value_argument("index", "v", v)
    if source.lanes != 1 or source.is_float:
        raise NumbaTypeError(f"index: v must be a scalar integer, not {source}")
    target = ValueType("i64", 1)
    return Lowering(types.int64, (source,), lambda b, x: convert(b, source, target, x))


@family("value", typed=True)
def _value(target: ValueType, i: types.Type) -> Lowering:
    """A Numba integer in every lane; integers wrap."""
    plain = integer_argument(f"value_{target}", "i", i)
    source = ValueType("i64", 1)

    def emit_one(b: Builder, number: Value) -> Value:
        return emit.splat(b, convert(b, source, target.scalar, number), target.lanes)

    return Lowering(target, (plain,), emit_one)


@family("bool_", typed=False)
def _bool(v: types.Type) -> Lowering:
    """The scalar b1 as a Numba boolean, for `if`."""
    source = same_argument("bool_", "v", v, ValueType("b1", 1))
    return Lowering(types.boolean, (source,), lambda b, x: x)
