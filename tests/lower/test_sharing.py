"""What several expressions use has a name, so that code does not grow; what is too large says what to do."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import assert_equals_interpreter
from pyramid import pyramid

from autosched.codegen.build import draft, show
from autosched.errors import CompileError
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
    interpret,
    log,
    maximum,
    minimum,
    power,
    select,
    sum_over,
    u8,
    u16,
    variables,
)
from autosched.lang.types import Type
from autosched.lower.sharing import shared_nodes
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule

Y, X = variables("y x")
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


def median(count: int) -> Pipeline:
    """The median of neighbours in a row, by a sorting network."""
    src, out = Input("src", u8, 2), Func("out")
    e = [src[Y, X + k] for k in range(count)]
    for i in range(count // 2 + 1):
        for j in range(count - 1 - i):
            e[j], e[j + 1] = minimum(e[j], e[j + 1]), maximum(e[j], e[j + 1])
    out[Y, X] = e[count // 2]
    return Pipeline(out)


@pytest.mark.parametrize("lanes", [0, 32])
def test_medians_of_many(lanes: int) -> None:
    schedule = Schedule().vectorize("out", "x", lanes) if lanes else Schedule()
    lengths = {n: len(show(median(n), schedule, "source").splitlines()) for n in (13, 27)}
    assert lengths[27] < 5 * lengths[13]  # as the comparisons of the networks: 84 and 364


@pytest.mark.parametrize("lanes", [0, 32])
def test_median_is_right(lanes: int) -> None:
    schedule = Schedule().vectorize("out", "x", lanes) if lanes else Schedule()
    src = np.random.default_rng(0).integers(0, 256, (3, 80), np.uint8)
    made = compile_kernel(median(15), schedule)(shape=(3, 66), src=src)
    assert np.array_equal(made, np.median(np.lib.stride_tricks.sliding_window_view(src, 15, 1), 2))
    assert np.array_equal(made, interpret(median(15), (3, 66), src=src))


def test_what_explodes_names_a_func() -> None:
    with pytest.raises(CompileError, match=r"expressions of g5 are too large.*compute Func g\d, compute_root\('g\d'\)"):
        draft(pyramid(6), Schedule())


def test_what_explodes_names_a_func_where_it_is_shown() -> None:
    with pytest.raises(CompileError, match=r"expressions of g5 are too large.*compute_root\('g\d'\)"):
        show(pyramid(6), Schedule(), "source")


def test_comparisons_in_funcs_of_their_own() -> None:
    """Funcs that are inlined are a network as if it were one expression."""
    src = Input("src", u8, 2)
    e: list[Expr] = [src[Y, X + k] for k in range(11)]
    for i in range(6):
        for j in range(10 - i):
            least, most = Func(f"least{i}_{j}"), Func(f"most{i}_{j}")
            least[Y, X], most[Y, X] = minimum(e[j], e[j + 1]), maximum(e[j], e[j + 1])
            e[j], e[j + 1] = least[Y, X], most[Y, X]
    out = Func("out")
    out[Y, X] = e[5]
    data = np.random.default_rng(1).integers(0, 256, (3, 60), np.uint8)
    for schedule in (Schedule(), Schedule().vectorize("out", "x", 16)):
        made = compile_kernel(Pipeline(out), schedule)(shape=(3, 50), src=data)
        assert np.array_equal(made, np.median(np.lib.stride_tricks.sliding_window_view(data, 11, 1), 2))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("of", [u8, u16, i32, i64])
def test_integers_that_are_read(of: Type, schedule: str) -> None:
    """They have names, and as indices the bounds that they would have without."""
    src, table = Input("src", of, 1), Input("table", f32, 1)
    value: Expr = src[X]
    for n in range(6):
        value = select(value < src[X + n] - n, value * 3 + src[X + n], value + 1) ^ (value >> 1)
    within = cast(i64, clamp(value, 2, 9))
    assert shared_nodes(within, frozenset())
    out = output(table[within] * table[within + X] + cast(f32, value & 255))
    data = np.random.default_rng(2).integers(0, 120, 40).astype(of.dtype)
    values = np.arange(60, dtype=np.float32)
    assert_equals_interpreter(out, (30,), SCHEDULES[schedule], src=data, table=values)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_conditions(schedule: str) -> None:
    value: Expr = A[X]
    for n in range(7):
        same = value < A[X + n]
        value = select(same, value + 1.0, select(same & (value > 0.75), value * 0.5, A[X + n]))
    assert_equals_interpreter(output(value), (30,), SCHEDULES[schedule], a=DATA)
