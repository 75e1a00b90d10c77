"""`fma` in the interpreter: the exact value, rounded once."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from autosched.lang import Func, Input, Pipeline, f32, fma, interpret, variables
from autosched.lang.fused import multiply_add

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def nearest(value: Fraction) -> np.float32:
    """The float32 nearest to a fraction, ties to even, found among the neighbours of a guess."""
    with np.errstate(over="ignore"):
        guess = np.float32(float(value))
    limit = Fraction(2**128 - 2**103)
    if abs(value) >= limit:
        return np.float32(np.inf if value > 0 else -np.inf)
    if np.isinf(guess):
        guess = np.float32(np.copysign(np.finfo(np.float32).max, guess))
    with np.errstate(over="ignore"):
        around = [guess, np.nextafter(guess, np.float32(np.inf)), np.nextafter(guess, np.float32(-np.inf))]
    finite = [number for number in around if np.isfinite(number)]
    return min(finite, key=lambda number: (abs(Fraction(float(number)) - value), int(number.view(np.int32)) & 1))


@given(FINITE, FINITE, FINITE)
@example(1 + 2**-12, 1 + 2**-12, 2.0**-60)  # just above a tie of float32: a sum rounded in float64 lands on it
@example(1 + 2**-12, 1 + 2**-12, -(2.0**-60))
@example(2.0**-75, 2.0**-74, 2.0**-149)  # subnormal
@example(2.0**64, 2.0**64, -(2.0**104))  # just below the overflow
def test_rounded_once(a: float, b: float, c: float) -> None:
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    (found,) = multiply_add(*(np.array([value], np.float32) for value in (a, b, c)))
    assert found == nearest(exact)


def test_zeros_and_infinities_as_ieee_has_them() -> None:
    inf = np.float32(np.inf)
    a, b, c = (np.array(row, np.float32) for row in ([-0.0, 0.0, inf, inf], [1, 1, 0, 2], [-0.0, -0.0, 1, -inf]))
    found = multiply_add(a, b, c)
    assert found[:2].tobytes() == np.array([-0.0, 0.0], np.float32).tobytes()
    assert np.isnan(found[2:]).all()


def test_differs_from_two_roundings() -> None:
    """A program with fma is not the program with a product and a sum."""
    (x,) = variables("x")
    values = Input("values", f32, 1)
    once, twice = Func("once"), Func("twice")
    once[x] = fma(values[x], values[x], -1.0)
    twice[x] = values[x] * values[x] - 1.0
    given_ = {"values": np.array([1 + 2**-12], np.float32)}
    assert interpret(Pipeline(once), (1,), given_)[0] == np.float32(2**-11 + 2**-24)
    assert interpret(Pipeline(twice), (1,), given_)[0] == np.float32(2**-11)
