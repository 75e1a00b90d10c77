"""i64 is the type of coordinates and of values: arithmetic of values wraps, whatever algebra knows of coordinates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from kernels import assert_equals_interpreter

from autosched.lang import (
    Expr,
    Func,
    Input,
    Param,
    Var,
    cast,
    clamp,
    i64,
    maximum,
    minimum,
    saturating_cast,
    select,
    u64,
)
from autosched.lower import algebra
from autosched.lower.ir import Binary, Const, Name
from autosched.lower.wrapping import exact, unbounded
from autosched.schedule import Schedule

VALUES = np.array([2**62 + 1, -(2**63), 2**63 - 1, 5, -7, 2**61, 0], np.int64)

CASES: dict[str, Callable[[Expr], Expr]] = {
    "quotient of a multiple": lambda v: v * 4 // 4,
    "quotient of a sum": lambda v: (v * 4 + 3) // 4,
    "quotient of a negative multiple": lambda v: v * -2 // -2,
    "quotient of a square": lambda v: v * v * 3 // 3,
    "remainder of a multiple": lambda v: v * 4 % 4,
    "remainder of an odd multiple": lambda v: v * 3 % 3,
    "remainder of a sum": lambda v: (v * 16 + 3) % 8,
    "quotient and remainder together": lambda v: v // 3 * 3 + v % 3,
    "min of neighbours": lambda v: minimum(v + 1, v),
    "max of neighbours": lambda v: maximum(v - 1, v),
    "nested min": lambda v: minimum(minimum(v + 5, 3), v),
    "nested max": lambda v: maximum(minimum(v + 5, v + 3), v),
    "comparison of neighbours": lambda v: select(v + 1 < v, v, 0),
    "constants beyond i64": lambda v: v + (2**63 - 1) + (2**63 - 1) - (-(2**63)),
    "least constant": lambda v: v - (-(2**63)) * v,
    "difference": lambda v: v - (v - 1),
    "negation": lambda v: abs(-v) + -v,
    "inverse": lambda v: ~v,
    "negative divisors": lambda v: (v // -1) ^ (v % -1) ^ (v // -3) ^ (v % -3),
    "zero divisors": lambda v: v // 0 + v % 0,
    "varying divisors": lambda v: (v // (v % 3 - 1)) ^ (v % (v % 3 - 1)),
    "shifts": lambda v: (v << 2) // 4 ^ (v >> 70) ^ (v << (v % 70)) ^ (v >> (v % 70)),
    "bits": lambda v: (v & -8) ^ (v | 3),
    "casts": lambda v: saturating_cast(i64, saturating_cast(u64, v)) ^ cast(i64, cast(u64, v) // 3),
}


@pytest.mark.parametrize("schedule", [Schedule(), Schedule().vectorize("f", "x", 4)], ids=["scalar", "lanes"])
def test_values_wrap(schedule: Schedule) -> None:
    values, f, x, case = Input("values", i64, 1), Func("f"), Var("x"), Var("case")
    read = values[clamp(x, 0, 6)]
    chosen: Expr = read
    for n, make in enumerate(CASES.values()):
        chosen = select(case == n, make(read), chosen)
    f[case, x] = chosen
    assert_equals_interpreter(f, (len(CASES), 7), schedule, values=VALUES)


def test_params_and_powers_wrap() -> None:
    f, x, p = Func("f"), Var("x"), Param("p", i64)
    f[x] = (p * 4 // 4) ^ minimum(p + x, p) ^ (x * x * x * x * x * x * x * x * x * x * x * x * 4 // 4)
    for value in (2**62 + 1, 2**63 - 1, 3):
        assert_equals_interpreter(f, (40,), p=value)


def test_coordinates_stay_exact() -> None:
    """What algebra simplifies, and what is printed with Python's own operators."""
    x, n, p = Name("f.x"), Name("a:n0"), Name("p", data=True)
    two = Const(2)
    assert algebra.make("floordiv", algebra.mul(x, two), two) == x
    assert algebra.make("floordiv", algebra.mul(p, two), two) != p
    address = algebra.add(Name("a"), algebra.mul(algebra.sub(x, n), Name("a:s0")), algebra.mul(x, Name("a:s1")))
    assert exact(address)
    assert not exact(algebra.add(p, two))
    assert exact(algebra.add(Binary("and", p, Const(7)), x))
    assert unbounded(p)
    assert not unbounded(address)
