"""Indices of any arithmetic: what the language takes for bounded is bounded where it is lowered, and read right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from autosched.errors import BindError, LanguageError
from autosched.lang import (
    Expr,
    Func,
    Input,
    Param,
    Pipeline,
    Type,
    Var,
    cast,
    i32,
    i64,
    interpret,
    maximum,
    minimum,
    select,
    u8,
    u32,
)
from autosched.lower.lower import lower
from autosched.runtime import Kernel
from autosched.schedule import Schedule

COUNT = 24
RANDOM = np.random.default_rng(11)
TABLES = {
    "bytes": (u8, RANDOM.integers(0, 256, COUNT).astype(np.uint8)),
    "ints": (i32, RANDOM.integers(-(1 << 31), 1 << 31, COUNT).astype(np.int32)),
    "unsigned": (u32, RANDOM.integers(0, 1 << 32, COUNT).astype(np.uint32)),
    "longs": (i64, np.array([*RANDOM.integers(-(1 << 63), 1 << 62, COUNT - 3), -(1 << 63), (1 << 63) - 1, 0])),
}
INPUTS = {name: Input(name, of, 1) for name, (of, _) in TABLES.items()}
X, P = Var("x"), Param("p", i32)

Step = Callable[[Expr, Expr], Expr]
STEPS: dict[str, Step] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "min": minimum,
    "max": maximum,
    "select": lambda a, b: select(a < b, b, a),
    "abs": lambda a, b: abs(a - b),
}
TYPES: dict[str, Type] = {"i32": i32, "i64": i64, "u32": u32}


@st.composite
def indices(draw: st.DrawFn) -> Expr:
    """Integer arithmetic of a coordinate, a Param, small constants and elements of tables, in one type."""
    of = TYPES[draw(st.sampled_from(sorted(TYPES)))]

    def leaf() -> Expr:
        kind = draw(st.sampled_from(["x", "p", "number", *TABLES]))
        if kind == "number":
            return cast(of, draw(st.integers(0 if of == u32 else -9, 9)))
        return cast(of, {"x": X, "p": P}[kind] if kind in "xp" else INPUTS[kind][X])

    made = leaf()
    for _ in range(draw(st.integers(1, 4))):
        step = draw(st.sampled_from([*STEPS, "half", "third", "rest", "mask", "neg"]))
        n = draw(st.integers(0, 9))
        if step in STEPS:
            made = STEPS[step](made, leaf())
        elif step == "neg":
            made = -made if of != u32 else made
        else:
            made = {"half": made >> 1, "third": made // (n + 1), "rest": made % (n + 1), "mask": made & n}[step]
    return cast(i64, maximum(minimum(made, 50), 0)) if draw(st.booleans()) else made


def pipeline(index: Expr) -> Pipeline:
    """`src` at an index; LanguageError where that may be anything."""
    f = Func("f")
    f[X] = Input("src", i32, 1)[index]
    return Pipeline(f, "f")


@given(indices())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_accepted_is_lowered(index: Expr) -> None:
    try:
        made = pipeline(index)
    except LanguageError:
        assume(False)
    lower(made, Schedule().vectorize("f", "x", 4))


@given(indices(), st.sampled_from([-3, 0, 5]))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_read_is_what_the_interpreter_reads(index: Expr, p: int) -> None:
    try:
        made = pipeline(index)
    except LanguageError:
        assume(False)
    given = {name: data for name, (_, data) in TABLES.items() if name in made.inputs}
    given["src"] = np.arange(4000, dtype=np.int32)
    params = {"p": p} if "p" in made.params else {}
    try:
        found = Kernel(made, Schedule().vectorize("f", "x", 4))(shape=(COUNT,), **given, **params)
    except BindError:  # it may read beside `src`
        assume(False)
    np.testing.assert_array_equal(found, interpret(made, (COUNT,), given, params))


def test_one_bound_is_none_where_arithmetic_may_wrap() -> None:
    longs = INPUTS["longs"][X]
    for index in (maximum(minimum(longs, 5) - 9, 0), minimum(abs(maximum(longs, -5)), 9)):
        with pytest.raises(LanguageError, match="cannot be bounded"):
            pipeline(index)
    pipeline(maximum(minimum(longs, 5) >> 1, 0))
    pipeline(abs(cast(i32, INPUTS["bytes"][X]) - cast(i32, INPUTS["bytes"][X + 1])))
