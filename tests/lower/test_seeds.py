"""Sums begin with what is added to them: where that is right, and only there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import assert_equals_interpreter

from autosched.lang import Expr, Func, Input, Param, Pipeline, RDom, cast, f32, i32, sum_over, u8, variables
from autosched.lower.ir import Assign, Broadcast, Const, statements
from autosched.lower.lower import Layout, lower
from autosched.schedule import Schedule

y, x = variables("y x")
TAPS = RDom(k=5)
SOURCE = Input("source", u8, 2)
BIAS = Input("bias", i32, 1)
HALF = Param("half", i32)
DENSE = Layout({"source": {1: 1}, "bias": {0: 4}, "out": {1: 4}}, {})


def total() -> Expr:
    return sum_over(TAPS, cast(i32, SOURCE[y, x + TAPS.k]))


def of(value: Expr) -> Func:
    out = Func("out")
    out[y, x] = value
    return out


def starts(out: Func, schedule: Schedule) -> list[str]:
    """What the sums of a kernel are set to before the loops that add to them: "zero" or "other"."""
    found = []
    seen: set[str] = set()
    for stage in lower(Pipeline(out), schedule, DENSE).stages:
        for stmt in statements(stage.body):
            if isinstance(stmt, Assign) and stmt.name.startswith(".sum") and stmt.name not in seen:
                seen.add(stmt.name)
                value = stmt.value.a if isinstance(stmt.value, Broadcast) else stmt.value
                found.append("zero" if isinstance(value, Const) and value.value == 0 else "other")
    return found


VECTORS = Schedule().vectorize("out", "x", 16)


@pytest.mark.parametrize(
    "schedule", [Schedule(), VECTORS, VECTORS.vectorize("out", "k", 4)], ids=["scalar", "x", "x, k"]
)
@pytest.mark.parametrize("added", [HALF, BIAS[y]], ids=["param", "input"])
def test_what_is_added_in_the_end_is_there_from_the_beginning(schedule: Schedule, added: Expr) -> None:
    assert set(starts(of((total() + added) >> 3), schedule)) >= {"other"}
    assert set(starts(of(total() >> 3), schedule)) == {"zero"}


@pytest.mark.parametrize(
    "value",
    [
        total() - HALF,
        total() * total(),
        (total() + HALF) * total(),
        total() + total(),
        total() + cast(i32, SOURCE[y, x]) + total(),
        cast(i32, cast(f32, total()) + 1.5),
    ],
    ids=["subtracted", "product", "used twice", "sum of itself", "between", "float"],
)
def test_sums_that_are_used_otherwise_are_as_before_and_right(value: Expr) -> None:
    out = of(cast(i32, value))
    arrays = {"source": np.random.default_rng(1).integers(0, 256, (3, 45), dtype=np.uint8)}
    params = {"half": 77} if "half" in Pipeline(out).params else {}
    for schedule in (Schedule(), VECTORS):
        assert_equals_interpreter(out, (3, 41), schedule, **arrays, **params)


def test_what_changes_while_it_is_summed_is_added_in_the_end() -> None:
    """The inner sum is added to in every turn of the outer one, with what that turn is."""
    outer = RDom(j=4)
    inner = sum_over(TAPS, cast(i32, SOURCE[y, x + TAPS.k + outer.j]))
    out = of(sum_over(outer, (inner + cast(i32, outer.j)) >> 1))
    arrays = {"source": np.random.default_rng(2).integers(0, 256, (3, 60), dtype=np.uint8)}
    for schedule in (Schedule(), VECTORS, VECTORS.unroll("out", "j", 2)):
        assert_equals_interpreter(out, (3, 41), schedule, **arrays)


@settings(deadline=None)
@given(half=st.integers(-(1 << 31), (1 << 31) - 1), seed=st.integers(0, 9))
def test_sums_wrap_around_as_in_the_interpreter(half: int, seed: int) -> None:
    out = of((total() + HALF) >> 3)
    arrays = {"source": np.random.default_rng(seed).integers(0, 256, (2, 25), dtype=np.uint8)}
    for schedule in (VECTORS, VECTORS.vectorize("out", "k", 4)):
        assert_equals_interpreter(out, (2, 21), schedule, half=half, **arrays)
