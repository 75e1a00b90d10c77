"""Reductions over any part of what they read: shorter than a table, of no iterations, and of fewer than none."""

from __future__ import annotations

from itertools import product
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
    fold_over,
    i8,
    i16,
    i32,
    interpret,
    max_over,
    product_over,
    sum_over,
    u8,
    variables,
)
from autosched.runtime import Kernel
from autosched.schedule import Schedule

EXTENTS = (*range(10), *range(-7, 0))
SHAPE = (2, 21)
RANDOM = np.random.default_rng(7)
DATA = {
    "u8": RANDOM.integers(0, 256, (2, 40)).astype(np.uint8),
    "i16": RANDOM.integers(-300, 300, (2, 40)).astype(np.int16),
}
#: Elements behind the domain are no zeros.
TABLES = {
    "i8": RANDOM.integers(-128, 128, 12).astype(np.int8),
    "i16": RANDOM.integers(-32768, 32768, 12).astype(np.int16),
    "i32": RANDOM.integers(-(1 << 22), 1 << 22, 12).astype(np.int32),
}
TYPES = {"u8": u8, "i8": i8, "i16": i16, "i32": i32}
S = Schedule()
SCHEDULES = {
    "lanes of a reduction": S.vectorize("f", "k", 4),
    "unrolled": S.unroll("f", "k", 3),
    "pairs": S.vectorize("f", "x", 16).vectorize("f", "k", 2),
    "quads": S.vectorize("f", "x", 16).vectorize("f", "k", 4),
    "two quads": S.vectorize("f", "x", 16).vectorize("f", "k", 8),
    "lanes and unrolled": S.vectorize("f", "x", 8).unroll("f", "k", 4),
}


def check(value: Expr, schedule: Schedule, n: Param, **inputs: Any) -> None:
    """The kernel equals the interpreter for every extent."""
    y, x = variables("y x")
    f = Func("f")
    f[y, x] = value
    pipeline = Pipeline(f, "f")
    kernel = Kernel(pipeline, schedule)
    for extent in EXTENTS:
        expected = interpret(pipeline, SHAPE, inputs, {n.name: extent})
        made = kernel(shape=SHAPE, **inputs, **{n.name: extent})
        np.testing.assert_array_equal(made, expected, err_msg=f"{extent} iterations")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("table", TABLES)
def test_sums_of_products(data: str, table: str, schedule: str) -> None:
    y, x = variables("y x")
    n, a, w = Param("n", i32), Input("a", TYPES[data], 2), Input("w", TYPES[table], 1)
    r = RDom(k=n)
    value = sum_over(r, cast(i32, a[y, x + r.k]) * cast(i32, w[r.k]))
    check(value, SCHEDULES[schedule], n, a=DATA[data], w=TABLES[table])


@pytest.mark.parametrize(
    ("kind", "schedule"),
    [
        *product(["product", "max", "sum", "second"], ["lanes of a reduction", "pairs"]),
        *product(["product", "max", "sum", "second", "fold"], ["unrolled", "lanes and unrolled"]),
    ],
)
def test_other_reductions(kind: str, schedule: str) -> None:
    y, x = variables("y x")
    n, a = Param("n", i32), Input("a", u8, 2)
    r = RDom(k=(2, n)) if kind == "second" else RDom(k=n)
    read = cast(i32, a[y, x + r.k])
    value = {
        "product": lambda: product_over(r, read),
        "max": lambda: max_over(r, read),
        "fold": lambda: fold_over(r, cast(i32, 1), lambda t: t * 3 + read),
        "sum": lambda: sum_over(r, read),
        "second": lambda: sum_over(r, read),
    }[kind]()
    check(value, SCHEDULES[schedule], n, a=DATA["u8"])


@pytest.mark.parametrize("lanes", [2, 4])
def test_two_reductions_over_parts_of_one_table(lanes: int) -> None:
    y, x = variables("y x")
    n, m, a, w = Param("n", i32), Param("m", i32), Input("a", u8, 2), Input("w", i8, 1)
    sums = []
    for name, extent in (("f", n), ("g", m)):
        r = RDom(k=extent)
        sums.append(Func(name))
        sums[-1][y, x] = sum_over(r, cast(i32, a[y, x + r.k]) * cast(i32, w[r.k]))
    h = Func("h")
    h[y, x] = sums[0][y, x] - sums[1][y, x]
    pipeline = Pipeline(h, "h")
    s = Schedule().compute_root("f").compute_at("g", "h", "y")
    for name in ("f", "g"):
        s = s.vectorize(name, "x", 16).vectorize(name, "k", lanes)
    kernel, inputs = Kernel(pipeline, s), {"a": DATA["u8"], "w": TABLES["i8"]}
    for pair in ((3, 7), (7, 3), (5, 5), (0, 9), (-1, 12)):
        given = dict(zip("nm", pair, strict=True))
        np.testing.assert_array_equal(
            kernel(shape=SHAPE, **inputs, **given), interpret(pipeline, SHAPE, inputs, given), err_msg=str(pair)
        )
