"""Sums of products of bytes are computed in staggered order where nothing sees it, and only there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autosched.lang import (
    Expr,
    Func,
    Input,
    Param,
    Pipeline,
    RDom,
    cast,
    i8,
    i32,
    interpret,
    saturating_cast,
    sum_over,
    u8,
    variables,
)
from autosched.lower.ir import Cast, Group, expressions, statements, walk
from autosched.lower.lower import Layout, lower
from autosched.runtime import Kernel
from autosched.schedule import Schedule

Y, X = variables("y x")
SOURCE, BY_ROW, BY_COLUMN = Input("source", u8, 2), Input("by_row", i8, 2), Input("by_column", i8, 2)
STRIDES = {"source": {1: 1}, "by_row": {1: 1}, "by_column": {1: 1}}


def weighted(weight: Callable[[Expr], Expr]) -> Expr:
    k = RDom(k=Param("taps"))
    return sum_over(k, cast(i32, SOURCE[Y + k.k, X]) * cast(i32, weight(k.k)))


def pipeline(value: Expr) -> Pipeline:
    out = Func("out")
    out[Y, X] = value
    return Pipeline(out, "weighted")


def byte(total: Expr) -> Expr:
    return saturating_cast(u8, (total + 37) >> 6)


ROWS = weighted(lambda k: BY_ROW[k, Y])
CASES = {
    "the same weights in all lanes": (byte(ROWS), True),
    "and more that is the same": (byte(ROWS * 3 - cast(i32, BY_ROW[0, Y])), True),
    "weights of their own": (byte(weighted(lambda k: BY_COLUMN[k, X])), False),
    "a lane's own offset": (byte(ROWS + cast(i32, SOURCE[Y, X])), False),
    "not narrowed": (ROWS, False),
    "narrowed without saturation": (cast(u8, ROWS), False),
}


@pytest.mark.parametrize("lanes", [16, 64])
@pytest.mark.parametrize("case", CASES)
def test_only_what_is_the_same_in_all_lanes(case: str, lanes: int) -> None:
    value, staggered = CASES[case]
    made = pipeline(value)
    schedule = Schedule().vectorize("out", "x", lanes).vectorize("out", "k", 4)
    strides = {**STRIDES, "out": {1: made.output.type.bytes}}
    (stage,) = lower(made, schedule, Layout({k: strides[k] for k in (*made.inputs, "out")}, {})).stages
    nodes = [n for s in statements(stage.body) for e in expressions(s) for n in walk(e)]
    assert {n.staggered for n in nodes if isinstance(n, Group)} == {staggered}, stage.body
    assert any(n.staggered for n in nodes if isinstance(n, Cast)) == staggered
    random = np.random.default_rng(lanes)
    taps, height, width = 7, 5, 150
    arrays: dict[str, Any] = {
        "source": random.integers(0, 256, (height + taps, width), np.uint8),
        "by_row": random.integers(-128, 128, (taps, height), np.int8),
        "by_column": random.integers(-128, 128, (taps, width), np.int8),
    }
    given = {name: arrays[name] for name in made.inputs}
    expected = interpret(made, (height, width), given, {"taps": taps})
    np.testing.assert_array_equal(Kernel(made, schedule)(shape=(height, width), taps=taps, **given), expected)
