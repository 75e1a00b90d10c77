"""Unrolled loops around lanes share the loops of reductions with them, as those inside lanes do."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import same

from autosched.lang import Func, Input, Pipeline, f32, variables
from autosched.lang.interpret import interpret
from autosched.lower import lower
from autosched.lower.ir import Assign, For, statements
from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.schedule.directives import Tail
from autosched.schedule.nest import resolve
from experiments.apps.programs import matmul

P = matmul()


def blocks(tail: Tail) -> Schedule:
    """Rows and blocks of lanes are unrolled around the lanes, as they are written down."""
    s = Schedule().tile("product", "y", "x", "yo", "xo", "yi", "xi", 3, 16, "shift_inwards")
    s = s.unroll("product", "yi", 3).split("product", "xi", "block", "lane", 8, tail)
    return s.unroll("product", "block", 2).vectorize("product", "lane", 8)


def together(schedule: Schedule) -> int:
    """How many sums there are at most in one loop over k."""
    (stage,) = lower(P, schedule).stages
    loops = [s for s in statements(stage.body) if isinstance(s, For) and s.name.endswith("k")]
    return max(sum(isinstance(s, Assign) for s in loop.body) for loop in loops)


def test_loops_are_shared_where_lanes_can_be_outside() -> None:
    order = [loop.name for loop in resolve(P, blocks("shift_inwards")).funcs["product"].loops]
    assert order == ["yo", "xo", "lane", "yi", "block"]
    kept = [loop.name for loop in resolve(P, blocks("guard")).funcs["product"].loops]
    assert kept == ["yo", "xo", "yi", "block", "lane"]
    assert (together(blocks("shift_inwards")), together(blocks("guard"))) == (6, 1)


@pytest.mark.parametrize("tail", ["shift_inwards", "guard"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 16), (4, 17), (7, 31), (9, 40)])
def test_the_bits_are_those_of_the_program(tail: Tail, shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    given = {"a": rng.random((shape[0], 5), np.float32), "b": rng.random((5, shape[1]), np.float32)}
    assert same(Kernel(P, blocks(tail))(shape=shape, **given), interpret(P, shape, given))


def test_loops_without_reductions_stay_in_order() -> None:
    y, x = variables("y x")
    a, made = Input("a", f32, 2), Func("product")
    made[y, x] = a[y, x] * 2.0
    schedule = blocks("shift_inwards")
    assert [loop.name for loop in resolve(Pipeline(made), schedule).funcs["product"].loops][-1] == "lane"
