"""Indices with quotients and remainders by what is only known when a kernel runs: of any sign, and 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.errors import BindError
from autosched.lang import (
    Expr,
    Func,
    Input,
    Param,
    Pipeline,
    Type,
    cast,
    clamp,
    i8,
    i16,
    i32,
    i64,
    interpret,
    maximum,
    minimum,
    select,
    u8,
    u16,
    variables,
)
from autosched.runtime import Kernel
from autosched.schedule import Schedule

Index = Callable[[Expr, Expr, Expr], Expr]

#: By a coordinate x, a Param p and data d (an i64).
INDICES: dict[str, Index] = {
    "x // p": lambda x, p, d: (x - 5) // p,
    "x % p": lambda x, p, d: (x - 5) % p,
    "d // p": lambda x, p, d: d // p,
    "d % p": lambda x, p, d: d % p,
    "x // d": lambda x, p, d: x // d,
    "x % d": lambda x, p, d: x % d,
    "p // x": lambda x, p, d: p // (x - 3),
    "p % x": lambda x, p, d: p % (x - 3),
    "x % clamp": lambda x, p, d: x % clamp(p, -2, 2),
    "sum": lambda x, p, d: x // p + (x - 4) % p,
}
SCHEDULES = {
    "root": Schedule().compute_root("f"),
    "at": Schedule().compute_at("f", "g", "x").store_root("f"),
    "split": Schedule().split("g", "x", "xo", "xi", 4).compute_at("f", "g", "xo"),
    "vectors": Schedule().compute_root("f").vectorize("f", "x", 8).vectorize("g", "x", 4).loads("g", "f", "gather"),
}


def check(index: Callable[[Expr, Expr], Expr], schedule: Schedule, p: int, data: list[int], of: Type = i64) -> None:
    """A Func whose every value differs, read at an index between -9 and 9."""
    (x,) = variables("x")
    table = Input("table", i32, 1)
    f, g = Func("f"), Func("g")
    f[x] = x * x * 7 + x
    g[x] = f[clamp(index(x, cast(i64, table[clamp(x, 0, 9)])), -9, 9)]
    made = Pipeline(g)
    inputs = {"table": np.array(data, np.int32)} if made.inputs else {}
    params = {"p": p} if made.params else {}
    expected = interpret(made, (12,), inputs, params)
    assert np.array_equal(Kernel(made, schedule)(shape=(12,), **inputs, **params), expected)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", INDICES)
@settings(deadline=None, max_examples=15)
@given(st.integers(-4, 4), st.lists(st.integers(-6, 6), min_size=10, max_size=10))
def test_any_divisor(name: str, schedule: str, p: int, data: list[int]) -> None:
    param = Param("p", i64)
    check(lambda x, d: INDICES[name](x, param, d), SCHEDULES[schedule], p, data)


def test_what_an_input_is_read_at_is_refused() -> None:
    """And not read beside it."""
    (x,) = variables("x")
    source, out = Input("source", i32, 1), Func("out")
    out[x] = source[clamp((x - 5) // Param("p", i64), -9, 9)]
    with pytest.raises(BindError, match=r"reads source at -6\.\.6 in dimension 0"):
        Kernel(Pipeline(out))(shape=(12,), source=np.arange(50, dtype=np.int32), p=3)


@pytest.mark.parametrize("of", [u8, i8, u16, i16, i32], ids=str)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_params_of_few_bits(of: Type, schedule: str) -> None:
    """Bounds by a Param are coordinates, whatever its type."""
    q = Param("p", of)
    forms: dict[str, Any] = {
        "least": lambda x, d: cast(i64, minimum(cast(of, clamp(d, 0, 9)), q)),
        "most": lambda x, d: cast(i64, maximum(cast(of, clamp(d, 0, 9)), q)),
        "chosen": lambda x, d: cast(i64, select(cast(of, clamp(d, 0, 9)) < q, cast(of, clamp(d, 0, 9)), q)),
    }
    for form in forms.values():
        check(form, SCHEDULES[schedule], 5, [-3, 0, 1, 9, 4, 5, 6, 2, 8, 7], of)
