"""Exponentials, logarithms and powers of f32, written in the language: kernels get the bits of the interpreter.

The range is reduced as Cody and Waite do (Software Manual for the Elementary Functions, 1980; Muller, Elementary
Functions: Algorithms and Implementation, 3rd edition, 2016, chapters 3 and 11): a power of two is taken out, which is
bits of the exponent, and a polynomial approximates the rest. Its coefficients come from Remez' algorithm for the
relative error of the result, then rounded to the type that is computed in. Special values are those of C99, annex F.

Errors are in units in the last place of the exact result, subnormal ones included. `fma` is emulated where the CPU has
none, so exp, exp2, log and log2 take several times as long there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from autosched.lang.expr import (
    Expr,
    Fault,
    Operand,
    as_expr,
)
from autosched.lang.functions import cast, clamp, fma, reinterpret, select, trunc
from autosched.lang.types import f32, f64, i32, u32, u64

_INFINITY: Final = float("inf")
_NAN: Final = float("nan")

#: 1.5 * 2^23: added to a small f32, leaves it rounded to an integer, which the last bits of the sum are.
_ROUND: Final = float(3 << 22)
#: The same of f64.
_ROUND_WIDE: Final = float(3 << 51)

#: log(2) in two parts, the first with zeros at its end so that its products with exponents are exact.
_LN2: Final = (float.fromhex("0x1.62e4p-1"), float.fromhex("0x1.7f7d1cp-20"))
_LOG2_E: Final = (float.fromhex("0x1.715476p0"), float.fromhex("0x1.4ae0cp-26"))

#: The bits of sqrt(1/2) in f32, and in f64: fractions are between it and sqrt(2).
_HALF_ROOT: Final = 0x3F3504F3
_HALF_ROOT_WIDE: Final = 0x3FE6A09E667F3BCD

# Coefficients, the highest power first.
#: (e^r - 1 - r) / r^2 for |r| <= log(2) / 2; relative error of e^r below 2^-27.7.
_EXP: Final = (0.00138144335, 0.00836879667, 0.0416683964, 0.166665196, 0.49999994)
#: (2^r - 1) / r for |r| <= 1/2; of 2^r below 2^-25.9.
_EXP2: Final = (0.000153533416, 0.00133989006, 0.00961843785, 0.0555033237, 0.240226477, 0.693147182)
#: (log(1 + f) - f + f^2 / 2) / f^3 for sqrt(1/2) <= 1 + f <= sqrt(2); of log below 2^-27.2.
_LOG: Final = (
    -0.0763449967, 0.12761578, -0.131601825, 0.142017573, -0.166233569, 0.200012267, -0.250008196, 0.333333313,
)  # fmt: skip
#: (log2(1 + f) - f log2(e)) / f^2; of log2 below 2^-26.4.
_LOG2: Final = (
    -0.109959006, 0.186171621, -0.191055924, 0.204600483, -0.239618406, 0.288567483, -0.360696584, 0.480898231,
    -0.721347332,
)  # fmt: skip
#: log2((1 + s) / (1 - s)) / s by powers of s^2, |s| <= (sqrt(2) - 1)^2; of log2 below 2^-45, in f64.
_LOG2_WIDE: Final = (
    0.28290144505647935, 0.31990561178835386, 0.41220925433501165, 0.5770779423466142, 0.9617966941134019,
    2.88539008177785,
)  # fmt: skip
#: 2^r for |r| <= 1/2 in f64; below 2^-34.5.
_EXP2_WIDE: Final = (
    1.5201901298933985e-05, 0.00015469317322096618, 0.0013333922854617158, 0.009618027172716447, 0.055504103528335576,
    0.24022651198755016, 0.693147180728716, 0.9999999999616214,
)  # fmt: skip


def exp(x: Operand) -> Expr:
    """e to the power of `x`, an f32, with an error below 0.92 ulp; infinity where that is beyond f32."""
    at = _single("exp", x)
    if isinstance(at, Fault):
        return at
    inside = clamp(at, -104.0, 89.0)  # e^-104 rounds to 0, e^89 to infinity; NaN stays
    rounded = fma(inside, _LOG2_E[0], _ROUND)
    n = rounded - _ROUND
    r = fma(n, -_LN2[1], fma(n, -_LN2[0], inside))
    return _scaled(_polynomial(r, (*_EXP, 1.0, 1.0)), rounded, inside < -80.0)


def exp2(x: Operand) -> Expr:
    """2 to the power of `x`, an f32, with an error below 0.95 ulp, exact where `x` is an integer."""
    at = _single("exp2", x)
    if isinstance(at, Fault):
        return at
    inside = clamp(at, -151.0, 129.0)
    rounded = inside + _ROUND
    r = inside - (rounded - _ROUND)
    return _scaled(_polynomial(r, (*_EXP2, 1.0)), rounded, inside < -100.0)


def log(x: Operand) -> Expr:
    """The natural logarithm of `x`, an f32, with an error below 0.93 ulp; minus infinity of 0, NaN of what is less."""
    at = _single("log", x)
    if isinstance(at, Fault):
        return at
    e, f = _exponent_and_fraction(at)
    cubic = fma(_polynomial(f, _LOG), f, -0.5)
    made = fma(e, _LN2[0], fma(e, _LN2[1], cubic * (f * f)) + f)
    return _logarithm(at, made)


def log2(x: Operand) -> Expr:
    """The logarithm of `x`, an f32, to base 2, with an error below 1.04 ulp, exact where `x` is a power of two.

    Minus infinity of 0, NaN of what is less.
    """
    at = _single("log2", x)
    if isinstance(at, Fault):
        return at
    e, f = _exponent_and_fraction(at)
    return _logarithm(at, fma(f, _LOG2_E[0], f * fma(_polynomial(f, _LOG2), f, _LOG2_E[1])) + e)


def power(x: Operand, y: Operand) -> Expr:
    """`x` to the power of `y`, both f32, with an error below 0.51 ulp.

    Of a negative `x` it is NaN, but where `y` is an integer. It is 1 where `y` is 0 or `x` is 1, whatever the other is.
    """
    base, exponent = _single("power", x), _single("power", y)
    for part in (base, exponent):
        if isinstance(part, Fault):
            return part
    size = abs(base)
    product = cast(f64, exponent) * _log2_wide(size)
    made = _exp2_wide(product)
    whole, half = trunc(exponent) == exponent, exponent * 0.5
    odd = whole & (trunc(half) != half)
    made = select(odd & (reinterpret(u32, base) >= 1 << 31), -made, made)
    made = select((base < 0.0) & (size < _INFINITY) & ~whole, _NAN, made)
    one = (exponent == 0.0) | (base == 1.0) | ((base == -1.0) & (abs(exponent) == _INFINITY))
    return select(one, 1.0, made)


def _single(name: str, x: Operand) -> Expr:
    """`x` as an f32."""
    made = as_expr(x, f32) if isinstance(x, (int, float)) else as_expr(x)
    if isinstance(made, Fault) or made.type == f32:
        return made
    return Fault(f"`{name}({made})` needs f32, not {made.type}; cast it")


def _polynomial(x: Expr, coefficients: Sequence[float]) -> Expr:
    """By Horner's rule, in fused multiply-adds of f32, or in products and sums of f64, which has none."""
    made = as_expr(coefficients[0], x.type)
    for c in coefficients[1:]:
        made = fma(made, x, c) if x.type == f32 else made * x + c
    return made


def _scaled(fraction: Expr, rounded: Expr, low: Expr) -> Expr:
    """`fraction` times 2^n, where `rounded` is n + _ROUND; `low` where that may be subnormal.

    2^n is made by its bits, as a normal number: half of it, or 2^64 of it where it is low.
    """
    one = 127 << 23
    bits = (reinterpret(u32, rounded) << 23) + select(low, as_expr(one + (64 << 23), u32), one - (1 << 23))
    return fraction * reinterpret(f32, bits) * select(low, as_expr(2.0**-64, f32), 2.0)


def _exponent_and_fraction(x: Expr) -> tuple[Expr, Expr]:
    """e and f with x = 2^e (1 + f) of a positive x that is finite, where 1 + f is between sqrt(1/2) and sqrt(2)."""
    small = x < 2.0**-126
    offset = select(small, as_expr(_HALF_ROOT + (23 << 23), i32), _HALF_ROOT)
    bits = reinterpret(i32, select(small, x * 2.0**23, x)) - offset
    return cast(f32, bits >> 23), reinterpret(f32, (bits & 0x7FFFFF) + _HALF_ROOT) - 1.0


def _logarithm(x: Expr, made: Expr) -> Expr:
    """`made` where `x` is positive and finite."""
    return select(x == 0.0, -_INFINITY, select(x < 0.0, _NAN, select(x < _INFINITY, made, x)))


def _log2_wide(size: Expr) -> Expr:
    """The logarithm of what is not negative, an f32, to base 2, in f64, where no f32 is subnormal."""
    mask = (1 << 52) - 1
    bits = reinterpret(u64, cast(f64, size)) - _HALF_ROOT_WIDE
    # e + 1023, which is not negative, as the last bits of a float beyond 2^52
    e = reinterpret(f64, ((bits + (1023 << 52)) >> 52) + (1075 << 52)) - float((1 << 52) + 1023)
    f = reinterpret(f64, (bits & mask) + _HALF_ROOT_WIDE) - 1.0
    s = f / (f + 2.0)
    made = e + s * _polynomial(s * s, _LOG2_WIDE)
    return select(size == 0.0, -_INFINITY, select(size < _INFINITY, made, cast(f64, size)))


def _exp2_wide(x: Expr) -> Expr:
    """2 to the power of `x`, an f64, as an f32."""
    inside = clamp(x, -160.0, 140.0)
    rounded = inside + _ROUND_WIDE
    scale = reinterpret(f64, (reinterpret(u64, rounded) << 52) + (1023 << 52))
    return cast(f32, _polynomial(inside - (rounded - _ROUND_WIDE), _EXP2_WIDE) * scale)
