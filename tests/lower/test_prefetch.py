"""Announcements: where the schedule asks for them, one a line, before what reads it, and never for anything else."""

from __future__ import annotations

import numpy as np
import pytest

from autosched.lang import Func, Input, Pipeline, RDom, cast, i32, interpret, sum_over, u8, variables
from autosched.lower.ir import For, Prefetch, Stmt, statements
from autosched.lower.lower import Layout, lower
from autosched.runtime import Kernel
from autosched.schedule import Schedule

y, x = variables("y x")


def added() -> Pipeline:
    """Two neighbours of one source, and one of another."""
    source, other, out = Input("source", u8, 2), Input("other", u8, 2), Func("out")
    out[y, x] = source[y, x] + source[y, x + 1] + other[y, x]
    return Pipeline(out, "added")


def lowered(pipeline: Pipeline, schedule: Schedule) -> list[Stmt]:
    """The statements of all stages, for arrays whose rows are dense."""
    dense = Layout({n: {1: 1} for n in (*pipeline.inputs, pipeline.output.name)}, {})
    return [s for stage in lower(pipeline, schedule, dense).stages for s in statements(stage.body)]


def announcements(pipeline: Pipeline, schedule: Schedule) -> list[Stmt]:
    return [s for s in lowered(pipeline, schedule) if isinstance(s, Prefetch)]


VECTORS = Schedule().vectorize("out", "x", 16)


def test_neighbours_in_a_line_are_announced_once() -> None:
    (found,) = announcements(added(), VECTORS.prefetch("out", "source", 4096))
    assert "4096" in str(found)
    assert len(announcements(added(), VECTORS.prefetch("out", "source", 4096).prefetch("out", "other", 64))) == 2


def test_nothing_is_announced_that_is_not_asked_for_or_not_read_in_vectors() -> None:
    assert announcements(added(), VECTORS) == []
    assert announcements(added(), Schedule().prefetch("out", "source", 4096)) == []


def test_each_func_announces_its_own_reads() -> None:
    source, first, out = Input("source", u8, 2), Func("first"), Func("out")
    first[y, x] = source[y, x] + 1
    out[y, x] = first[y, x] + source[y, x]
    schedule = VECTORS.compute_at("first", "out", "y").vectorize("first", "x", 16)
    assert len(announcements(Pipeline(out), schedule.prefetch("first", "source", 256))) == 1
    both = schedule.prefetch("first", "source", 256).prefetch("out", "source", 512)
    assert len(announcements(Pipeline(out), both)) == 2


def test_reads_of_reductions_are_announced_where_they_are() -> None:
    domain = RDom(k=5)
    source, out = Input("source", u8, 2), Func("out")
    out[y, x] = cast(u8, sum_over(domain, cast(i32, source[y + domain.k, x])) // 5)
    found = lowered(Pipeline(out), VECTORS.prefetch("out", "source", 1 << 14))
    inner = [s for s in found if isinstance(s, For) and any(isinstance(part, Prefetch) for part in s.body)]
    assert inner and all("k" in loop.name for loop in inner)


@pytest.mark.parametrize("distance", [64, 4096, 1 << 20])
def test_results_are_the_same_far_beyond_the_end_too(distance: int) -> None:
    rng = np.random.default_rng(distance)
    given = {name: rng.integers(0, 256, (9, 77), dtype=np.uint8) for name in ("source", "other")}
    kernel = Kernel(added(), VECTORS.prefetch("out", "source", distance))
    np.testing.assert_array_equal(kernel(shape=(9, 76), **given), interpret(added(), (9, 76), given, {}))
