"""Blocks that are cut into blocks: how many there are is known, so their loop is written out, or has lanes, unsplit."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import same

from autosched.lang import Func, Input, Pipeline, RDom, cast, i32, sum_over, u8, variables
from autosched.lang.interpret import interpret
from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.schedule.directives import Tail
from autosched.schedule.nest import resolve


def pipeline() -> Pipeline:
    """Sums of sums: trailing unrolled loops share the loop of a sum."""
    y, x = variables("y x")
    image, sums, out = Input("image", u8, 2), Func("sums"), Func("out")
    r, q = RDom(k=3), RDom(m=2)
    sums[y, x] = sum_over(r, cast(i32, image[y, x + r.k]) * cast(i32, r.k + 2)) + cast(i32, x)
    out[y, x] = sum_over(q, sums[y, x + q.m] * cast(i32, q.m + 1))
    return Pipeline(out)


P = pipeline()


def cut(func: str, outer: Tail = "guard", inner: Tail = "guard") -> Schedule:
    """x in blocks of 32, those in blocks of 8: there are at most four of those, called xi."""
    return Schedule().split(func, "x", "xo", "xr", 32, outer).split(func, "xr", "xi", "xl", 8, inner)


@pytest.mark.parametrize(
    ("schedule", "loops"),
    [
        (cut("out").unroll("out", "xi", 4), "xo xi xl"),
        (cut("out").unroll("out", "xi", 4).vectorize("out", "xl", 8), "xo xi xl"),
        (cut("out").unroll("out", "xi", 4).unroll("out", "xl", 8), "xo xi xl"),
        (cut("out", "shift_inwards").unroll("out", "xi", 4).unroll("out", "xl", 8), "xo xi xl"),
        (cut("out", "guard", "shift_inwards").unroll("out", "xi", 4).reorder("out", "xl", "xi"), "xo xl xi"),
        (cut("out", "guard", "shift_inwards").vectorize("out", "xi", 4), "xo xi xl"),
        (cut("out", "shift_inwards", "shift_inwards").vectorize("out", "xi", 4).reorder("out", "xl", "xi"), "xo xl xi"),
        (
            cut("out", "shift_inwards", "shift_inwards")
            .vectorize("out", "xl", 8)
            .unroll("out", "xi", 4)
            .reorder("out", "xl", "xi"),
            "xo xl xi",
        ),
        (cut("sums", "round_up", "round_up").unroll("sums", "xi", 4).reorder("sums", "xl", "xi"), "xo xl xi"),
        (
            cut("sums", "round_up", "round_up")
            .vectorize("sums", "xl", 8)
            .unroll("sums", "xi", 4)
            .reorder("sums", "xl", "xi")
            .compute_at("sums", "out", "y"),
            "xo xl xi",
        ),
    ],
)
def test_blocks_of_a_block_are_a_loop_of_known_length(schedule: Schedule, loops: str) -> None:
    (func,) = schedule.funcs
    assert [loop.name for loop in resolve(P, schedule).funcs[func].loops] == ["y", *loops.split()]
    kernel = Kernel(P, schedule)
    for width in (1, 7, 8, 9, 31, 32, 33, 57, 63, 64, 100):
        image = np.random.default_rng(width).integers(0, 256, (2, width + 40), np.uint8)
        found = kernel(shape=(2, width), image=image)
        assert same(found, interpret(P, (2, width), {"image": image})), width


@pytest.mark.parametrize(
    ("schedule", "loops"),
    [
        (cut("out").unroll("out", "xi", 2), "xo xi_uo xi_ui xl"),
        (Schedule().split("out", "x", "xo", "xi", 8).unroll("out", "xo", 4), "xo_uo xo_ui xi"),
        (
            Schedule().split("out", "x", "xo", "xr", 20).split("out", "xr", "xi", "xl", 8).unroll("out", "xi", 3),
            "xo xi xl",
        ),
    ],
)
def test_loops_that_may_be_longer_are_split(schedule: Schedule, loops: str) -> None:
    assert [loop.name for loop in resolve(P, schedule).funcs["out"].loops] == ["y", *loops.split()]
