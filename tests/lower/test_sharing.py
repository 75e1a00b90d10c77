"""Floats that several expressions use have names, so that code does not grow with what is written of them."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import assert_equals_interpreter

from autosched.codegen.build import show
from autosched.lang import (
    Expr,
    Func,
    Input,
    Pipeline,
    RDom,
    cast,
    clamp,
    exp,
    f32,
    fold_over,
    i32,
    i64,
    log,
    power,
    sum_over,
    variables,
)
from autosched.lower.sharing import shared_nodes
from autosched.schedule import Schedule

(X,) = variables("x")
A = Input("a", f32, 1)
DATA = np.random.default_rng(0).uniform(0.5, 2, 40).astype(np.float32)
SCHEDULES = {"scalar": Schedule(), "vectors": Schedule().vectorize("out", "x", 8)}


def nested(times: int, value: Expr) -> Expr:
    """Written out as a tree it would have about 80 ** times nodes."""
    for _ in range(times):
        value = exp(log(power(value, 1.5)) * 0.7)
    return value


def output(value: Expr) -> Func:
    out = Func("out")
    out[X] = value
    return out


def lines(times: int) -> int:
    return show(Pipeline(output(nested(times, A[X]))), Schedule(), "source").count("\n")


def test_source_grows_with_what_is_written() -> None:
    one, two, six = lines(1), lines(2), lines(6)
    assert six - two <= 4 * (two - one) + 4


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_deep_expressions(schedule: str) -> None:
    assert_equals_interpreter(output(nested(4, A[X])), (21,), SCHEDULES[schedule], a=DATA)


def test_an_inlined_func_counts_as_what_it_is() -> None:
    """Several reads of one Func at one place are one value."""
    f = Func("f")
    f[X] = nested(1, A[X])
    out = output(f[X] * f[X] + f[X + 1] / f[X])
    source = show(Pipeline(out), Schedule(), "source")
    again = show(Pipeline(output(f[X] + f[X + 1])), Schedule(), "source")
    assert source.count("cast_u32(") <= again.count("cast_u32(")
    assert_equals_interpreter(out, (20,), Schedule().vectorize("out", "x", 4), a=DATA)


@pytest.mark.parametrize("schedule", [*SCHEDULES, "unrolled"])
@pytest.mark.parametrize("form", ["sum", "fold", "index", "nothing"])
def test_in_reductions_and_indices(form: str, schedule: str) -> None:
    r = RDom(k=5)
    near = nested(1, A[X + r.k])
    apart = near - nested(1, A[X])
    value = {
        "sum": lambda: sum_over(r, apart * apart + near),
        "fold": lambda: fold_over(r, nested(1, A[X]), lambda t: nested(1, abs(t) + 0.5) * 0.5 + apart),
        "index": lambda: A[clamp(cast(i64, nested(2, A[X]) * 3.0), 0, 9)],
        "nothing": lambda: cast(f32, cast(i64, nested(2, hidden(X))) * 0),
    }[form]()
    unrolled = Schedule().split("out", "x", "xo", "xi", 8).vectorize("out", "xi", 4).unroll("out", "xo", 2)
    made = {**SCHEDULES, "unrolled": unrolled}[schedule]
    assert_equals_interpreter(output(value), (24,), made.compute_root("hidden") if form == "nothing" else made, a=DATA)


def hidden(x: Expr) -> Expr:
    """A Func that is not needed once the expression around it is simplified."""
    f = Func("hidden")
    f[X] = A[X] * 2.0
    return f[x]


def test_integers_and_small_floats_have_no_names() -> None:
    small = A[X] * 2.0
    assert not shared_nodes(small * small + small, frozenset())
    whole: Expr = cast(i32, X)
    for _ in range(10):
        whole = whole * whole + 1
    assert not shared_nodes(cast(f32, whole), frozenset())
