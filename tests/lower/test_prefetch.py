"""Prefetches: where the schedule asks for them, one a line, before what reads it, and never for anything else.

What is prefetched of a next turn is compared with what that turn then reads or stores, address by address.
"""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.lang import Func, Input, Pipeline, RDom, cast, i32, interpret, sum_over, u8, variables
from autosched.lower.ir import (
    Binary,
    Block,
    Cast,
    Const,
    Expr,
    For,
    If,
    Let,
    Load,
    Name,
    Prefetch,
    Stmt,
    Store,
    statements,
    walk,
)
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


def prefetches(pipeline: Pipeline, schedule: Schedule) -> list[Stmt]:
    return [s for s in lowered(pipeline, schedule) if isinstance(s, Prefetch)]


VECTORS = Schedule().vectorize("out", "x", 16)


def test_neighbours_in_a_line_are_prefetched_once() -> None:
    (found,) = prefetches(added(), VECTORS.prefetch("out", "source", 4096))
    assert "4096" in str(found)
    assert len(prefetches(added(), VECTORS.prefetch("out", "source", 4096).prefetch("out", "other", 64))) == 2


def test_nothing_is_prefetched_that_is_not_asked_for_or_not_read_in_vectors() -> None:
    assert prefetches(added(), VECTORS) == []
    assert prefetches(added(), Schedule().prefetch("out", "source", 4096)) == []


def test_every_copy_of_an_unrolled_loop_prefetches_what_it_reads() -> None:
    pipeline = added()
    pipeline.output.bound(x, 256)
    schedule = Schedule().vectorize("out", "x", 64).unroll("out", "x_vo", 4).prefetch("out", "source", 4096)
    assert len(prefetches(pipeline, schedule)) == 4


def test_each_func_prefetches_its_own_reads() -> None:
    source, first, out = Input("source", u8, 2), Func("first"), Func("out")
    first[y, x] = source[y, x] + 1
    out[y, x] = first[y, x] + source[y, x]
    schedule = VECTORS.compute_at("first", "out", "y").vectorize("first", "x", 16)
    assert len(prefetches(Pipeline(out), schedule.prefetch("first", "source", 256))) == 1
    both = schedule.prefetch("first", "source", 256).prefetch("out", "source", 512)
    assert len(prefetches(Pipeline(out), both)) == 2


def test_reads_of_reductions_are_prefetched_where_they_are() -> None:
    domain = RDom(k=5)
    source, out = Input("source", u8, 2), Func("out")
    out[y, x] = cast(u8, sum_over(domain, cast(i32, source[y + domain.k, x])) // 5)
    found = lowered(Pipeline(out), VECTORS.prefetch("out", "source", 1 << 14))
    inner = [s for s in found if isinstance(s, For) and any(isinstance(part, Prefetch) for part in s.body)]
    assert inner and all("k" in loop.name for loop in inner)


@pytest.mark.parametrize("distance", [64, 4096, 1 << 20])
def test_results_are_the_same_far_beyond_the_end_too(distance: int) -> None:
    rng = np.random.default_rng(distance)
    arrays = {name: rng.integers(0, 256, (9, 77), dtype=np.uint8) for name in ("source", "other")}
    kernel = Kernel(added(), VECTORS.prefetch("out", "source", distance))
    np.testing.assert_array_equal(kernel(shape=(9, 76), **arrays), interpret(added(), (9, 76), arrays, {}))


# what a loop's next turn reads or stores


def picked() -> Pipeline:
    """Pixels of rows from where a table says."""
    source, begin, out = Input("source", u8, 2), Input("begin", i32, 1, monotone=True, bounds=(0, 999)), Func("out")
    out[y, x] = source[y, begin[x]]
    return Pipeline(out, "picked")


ROWS = Schedule().split("out", "y", "yo", "yi", 3).reorder("out", "yo", "x", "yi")
#: Where the arrays are: far apart, so that an address says which one it is in.
SOURCE, BEGIN, PITCH = 1 << 20, 1 << 40, 1 << 12
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "floordiv": operator.floordiv, "min": min,
    "max": max,
}  # fmt: skip


def traced(schedule: Schedule, loop: str, begin: list[int], height: int) -> tuple[dict[int, set[int]], ...]:
    """What `picked` prefetches, reads of its source and stores in each turn of `loop`, by running the lowered loops.

    Reads are those of single elements, of stores there is where each begins.
    """
    (stage,) = lower(
        picked(), schedule, Layout({"source": {0: PITCH, 1: 1}, "begin": {0: 4}, "out": {1: 1}}, {})
    ).stages
    prefetched: dict[int, set[int]] = defaultdict(set)
    read: dict[int, set[int]] = defaultdict(set)
    stored: dict[int, set[int]] = defaultdict(set)

    def value(e: Expr, env: dict[str, int]) -> int:
        match e:
            case Const(value=known):
                return int(known)
            case Name(name=name):
                return env[name]
            case Cast(a=a):
                return value(a, env)
            case Binary(op=op, a=a, b=b):
                return OPERATIONS[op](value(a, env), value(b, env))
            case Load(buffer="begin", address=address):
                place = (value(address, env) - BEGIN) // 4
                assert 0 <= place < len(begin), "beyond the table"
                return begin[place]
        raise AssertionError(f"not a coordinate: {e}")

    def run(block: Block, env: dict[str, int]) -> None:
        for stmt in block:
            match stmt:
                case For(name=name, lo=lo, extent=extent, body=body):
                    for i in range(value(lo, env), value(lo, env) + value(extent, env)):
                        run(body, {**env, name: i})
                case Let(name=name, value=what):
                    env = {**env, name: value(what, env)}
                case Prefetch(address=address):
                    prefetched[env[loop]].add(value(address, env))
                case If(condition=condition, then=then, orelse=orelse):
                    run(then if value(condition, env) else orelse, env)
                case Store(address=address, value=what):
                    stored[env[loop]].add(value(address, env))
                    loads = (e for e in walk(what) if isinstance(e, Load) and e.buffer == "source" and e.lanes == 1)
                    read[env[loop]].update(value(e.address, env) for e in loads)

    extents = {"out:n0": height, "out:n1": len(begin)}
    run(stage.body, {"source": SOURCE, "begin": BEGIN, "out": 0, "out:s0": PITCH, **extents})
    return prefetched, read, stored


@pytest.mark.parametrize(
    ("at", "loop", "variable"),
    [("yi", "yo", "out.yo"), ("x", "yo", "out.yo"), ("yo", "yo", "out.yo"), ("x", "x", "out.x")],
)
@settings(deadline=None)
@given(begin=st.lists(st.integers(0, 999), min_size=1, max_size=9), height=st.integers(1, 11), turns=st.integers(1, 2))
def test_what_is_prefetched_is_what_a_later_turn_reads(
    at: str, loop: str, variable: str, begin: list[int], height: int, turns: int
) -> None:
    begin.sort()
    prefetched, read, _ = traced(ROWS.prefetch_next("out", "source", at, loop, turns), variable, begin, height)
    for turn in read.keys() & {t - turns for t in read}:
        for address in read[turn + turns]:
            assert any(0 <= address - line < 64 for line in prefetched[turn]), address


def test_as_many_lines_as_asked_for() -> None:
    prefetched, _, _ = traced(ROWS.prefetch_next("out", "source", "yi", "yo", lines=3), "out.yo", [5], 6)
    rows = [SOURCE + PITCH * row + 5 for row in (3, 4, 5)]
    assert prefetched[0] == {row + 64 * line for row in rows for line in range(3)}


def test_lanes_of_a_vector_and_what_is_computed_for_them_are_prefetched_together() -> None:
    c, j = variables("c j")
    source, begin = Input("source", u8, 3), Input("begin", i32, 1, monotone=True, bounds=(0, 60))
    planes, out = Func("planes"), Func("out")
    planes[c, y, x] = source[y, x, c]
    out[c, y, j] = planes[c, y, begin[j]]
    schedule = Schedule().split("out", "y", "yo", "yi", 4).reorder("out", "yo", "j", "yi", "c").unroll("out", "c", 3)
    schedule = schedule.vectorize("out", "j", 8, "shift_inwards").compute_at("planes", "out", "yo")
    schedule = schedule.prefetch_next("out", "source", "yi", "yo", lines=2)
    pipeline = Pipeline(out, "planar")
    arrays = {
        "source": np.random.default_rng(0).integers(0, 256, (13, 64, 3), np.uint8),
        "begin": np.arange(0, 60, 3, dtype=np.int32),
    }
    kernel = Kernel(pipeline, schedule)
    expected = interpret(pipeline, (3, 13, 20), arrays, {})
    np.testing.assert_array_equal(kernel(shape=(3, 13, 20), **arrays), expected)
    pixels = Layout({"source": {1: 3, 2: 1}, "out": {2: 1}}, {})
    body = [s for stage in lower(pipeline, schedule, pixels).stages for s in statements(stage.body)]
    inside = [s for s in body if isinstance(s, For) and any(isinstance(t, Prefetch) for t in s.body)]
    assert inside and all(s.name == "out.yi" and sum(isinstance(t, Prefetch) for t in s.body) == 2 for s in inside)


@pytest.mark.parametrize("loop", ["yo", "yi"])
@pytest.mark.parametrize("lanes", [2, 16])
@settings(deadline=None)
@given(width=st.integers(1, 40), height=st.integers(1, 11), turns=st.integers(1, 2))
def test_what_is_prefetched_is_where_a_later_turn_stores(
    lanes: int, loop: str, width: int, height: int, turns: int
) -> None:
    schedule = Schedule().split("out", "y", "yo", "yi", 3).vectorize("out", "x", lanes)
    schedule = schedule.prefetch_stores("out", loop, turns)
    prefetched, _, stored = traced(schedule, f"out.{loop}", [5] * width, height)
    for turn in stored.keys() & {t - turns for t in stored}:
        assert stored[turn + turns] <= prefetched[turn]


def test_vectors_in_one_line_are_prefetched_once() -> None:
    pipeline = added()
    pipeline.output.bound(x, 128)
    schedule = VECTORS.unroll("out", "x_vo", 8).prefetch_stores("out", "y")
    stored = [s for s in lowered(pipeline, schedule) if isinstance(s, Store)]
    assert len(stored) == 8 and all(s.value.lanes == 16 for s in stored)
    assert len(prefetches(pipeline, schedule)) == 2


def test_results_are_the_same_where_stores_are_prefetched() -> None:
    arrays = {name: np.arange(9 * 77, dtype=np.uint8).reshape(9, 77) for name in ("source", "other")}
    kernel = Kernel(added(), VECTORS.prefetch_stores("out", "y", 3))
    np.testing.assert_array_equal(kernel(shape=(9, 76), **arrays), interpret(added(), (9, 76), arrays, {}))
