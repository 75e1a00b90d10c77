"""Functions that make expressions, beside Python's operators: conversions, choices, rounding."""

from __future__ import annotations

import numpy as np

from autosched.lang.checks import check_type
from autosched.lang.expr import (
    Cast,
    Expr,
    Fault,
    FusedMultiplyAdd,
    Operand,
    Reinterpret,
    Select,
    as_expr,
    binary,
    first_fault,
    unary,
    unify,
)
from autosched.lang.types import Type, f32


def cast(to: Type, value: Operand) -> Expr:
    """`value` as type `to`. Integers wrap; floats truncate towards zero and saturate, NaN becomes 0.

    f32 is rounded to bf16 and f16 to nearest, ties to even, as torch does; any NaN becomes one NaN.
    """
    return _cast(to, as_expr(value), saturating=False)


def saturating_cast(to: Type, value: Operand) -> Expr:
    """`value` as type `to`, clamped to what `to` can hold."""
    return _cast(to, as_expr(value), saturating=True)


def _cast(to: Type, operand: Expr, saturating: bool) -> Expr:
    check_type(to, "saturating_cast" if saturating else "cast")
    if isinstance(operand, Fault) or operand.type == to:
        return operand
    if operand.type.is_half:
        return Fault(f"`{operand}` is {operand.type}, a type of results; nothing is computed from it, not even {to}")
    if to.is_half and (operand.type != f32 or saturating):
        what = f"saturating_cast to {to}" if saturating else f"cast of {operand.type} to {to}"
        return Fault(f"{what} of `{operand}`: only f32 is rounded to {to}; write cast({to}, cast(f32, ...))")
    return Cast(to, operand, saturating)


def reinterpret(to: Type, value: Operand) -> Expr:
    """The bits of `value` as type `to`, which is as wide: f32 and i32 or u32, f64 and i64 or u64, integers.

    The bits of a NaN are those of one, 0x7fc00000 in f32 and 0x7ff8000000000000 in f64: which NaN an operation makes
    differs between processors.
    """
    check_type(to, "reinterpret")
    operand = as_expr(value)
    if isinstance(operand, Fault) or operand.type == to:
        return operand
    kind = operand.type
    if not all(t.is_int or t.is_float for t in (kind, to)) or kind.bits != to.bits:
        return Fault(
            f"reinterpret({to}, `{operand}`) of {kind}: both must be as wide, f32 and i32 or u32, f64 and i64 or u64; "
            "cast converts values"
        )
    return Cast(to, operand) if kind.is_int and to.is_int else Reinterpret(to, operand)


def select(condition: Operand, a: Operand, b: Operand) -> Expr:
    """`a` where the condition holds, else `b`."""
    test = as_expr(condition)
    pair = unify(a, b, "`select(..., {a}, {b})`")
    if (fault := first_fault(test, *((pair,) if isinstance(pair, Fault) else pair))) is not None:
        return fault
    assert not isinstance(pair, Fault)
    if not test.type.is_bool:
        return Fault(f"the condition `{test}` of select is {test.type}, not a comparison")
    return Select(test, *pair)


def fma(a: Operand, b: Operand, c: Operand) -> Expr:
    """a * b + c, rounded once. All three are f32.

    With it a quotient takes a multiplication and one correction: where `r` is 1 / d and `q` is x * r, both rounded,
    fma(fma(-q, d, x), r, q) is x / d but for the last bit of a few x, which a proof over all x can rule out.
    """
    parts = [as_expr(part, f32) if isinstance(part, (int, float)) else as_expr(part) for part in (a, b, c)]
    if (fault := first_fault(*parts)) is not None:
        return fault
    kinds = [part.type for part in parts]
    if any(kind != f32 for kind in kinds):
        return Fault(f"fma needs three f32, not {', '.join(str(kind) for kind in kinds)}; cast them")
    return FusedMultiplyAdd(*parts)


def minimum(a: Operand, b: Operand) -> Expr:
    """b where b < a, else a."""
    return binary("min", a, b)


def maximum(a: Operand, b: Operand) -> Expr:
    """b where a < b, else a."""
    return binary("max", a, b)


def clamp(value: Operand, lo: Operand, hi: Operand) -> Expr:
    """`value` limited to lo..hi, both included."""
    return minimum(maximum(value, lo), hi)


def sqrt(a: Operand) -> Expr:
    """The correctly rounded square root."""
    return unary("sqrt", a)


def floor(a: Operand) -> Expr:
    """The greatest integral float not above."""
    return unary("floor", a)


def ceil(a: Operand) -> Expr:
    """The least integral float not below."""
    return unary("ceil", a)


def round_half_even(a: Operand) -> Expr:
    """The nearest integral float, ties to even."""
    return unary("round", a)


def trunc(a: Operand) -> Expr:
    """The integral part of a float."""
    return unary("trunc", a)


def rounding_shift_right(a: Operand, bits: Operand) -> Expr:
    """(a + (1 << (bits - 1))) >> bits, the addition wrapping; bits >= 1."""
    operand = as_expr(a)
    if isinstance(operand, Fault):
        return operand
    if isinstance(bits, (int, np.integer)) and bits < 1:
        return Fault(f"rounding_shift_right by {bits}; the shift must be at least 1")
    shift = cast(operand.type, bits) if isinstance(bits, Expr) else as_expr(bits, operand.type)
    one = as_expr(1, operand.type)
    return (operand + (one << (shift - 1))) >> shift
