"""Schedules: every directive's mistakes, JSON both ways, hostile JSON, and how a loop nest is shown."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosched.errors import ScheduleError
from autosched.lang import (
    Func,
    Input,
    Param,
    Pipeline,
    RDom,
    argmax_over,
    cast,
    clamp,
    f32,
    fold_over,
    i32,
    i64,
    sum_over,
    u8,
    variables,
)  # fmt: skip
from autosched.lang.interpret import interpret
from autosched.lower import lower
from autosched.runtime import Kernel
from autosched.schedule import SCHEMA, Schedule
from autosched.schedule import directives as d


def pipeline() -> Pipeline:
    """a (inlined by default), s (an integer sum), t (a float sum and an argmax), w (an integer fold), and out."""
    y, x = variables("y x")
    image, n = Input("image", u8, 2), Param("n", i64)
    a, s, t, w, out = Func("a"), Func("s"), Func("t"), Func("w"), Func("out")
    a[y, x] = cast(i32, image[clamp(y, 0, 9), clamp(x, 0, 9)])
    r, q = RDom(ky=3, kx=4), RDom(j=3)
    s[y, x] = sum_over(r, a[y + r.ky, x + r.kx])
    t[y, x] = sum_over(q, cast(f32, a[y, x + q.j])) + cast(f32, argmax_over(RDom(m=5), a[y, x])[0])
    p = RDom(wy=2, wx=2)
    w[y, x] = fold_over(p, a[y, x], lambda so_far: a[y + p.wy, x + p.wx] - so_far)
    out[y, x] = cast(f32, s[y, x] + w[y, x] + cast(i32, n)) + t[y, x]
    return Pipeline(out)


P = pipeline()
S = Schedule()


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        # names and places
        (S.compute_root("b"), r"names Func b, which pipeline out does not have; it has a, out, s, t, w"),
        (S.split("out", "z", "o", "i", 4), r"split\('z', .*\) of Func out: there is no loop z; the loops are y, x"),
        (S.split("out", "x", "y", "i", 4), r"the name y is used already; choose another"),
        (S.split("out", "x", "o", "o", 4), r"the name o is used already"),
        (S.split("out", "x", "x", "i", 4), r"outer and inner need names of their own"),
        (
            S.split("out", "x", "o", "i", 4, "round_up"),
            r"an output cannot be computed beyond its extent; use tail guard",
        ),
        (S.split("a", "x", "o", "i", 8).split("a", "i", "p", "q", 3, "round_up"), r"i is a part of a coordinate"),
        (S.split("s", "kx", "o", "i", 2), r"kx is a coordinate of a reduction; only vectorize, unroll and"),
        (S.tile("out", "x", "y", "a", "b", "c", "e", 2, 2), r"y must be the loop just inside x; reorder first"),
        (S.reorder("out", "x", "z"), r"there is no loop z"),
        (S.reorder("s", "kx", "x"), r"kx is a coordinate of a reduction"),
        (S.reorder("s", "kx"), r"name all of ky, kx"),
        (S.fuse("out", "x", "y", "f"), r"y must be the loop just inside x; reorder first"),
        (S.split("out", "x", "o", "i", 4).fuse("out", "o", "i", "f"), r"o and i are parts of one coordinate"),
        (S.fuse("out", "y", "x", "y"), r"the name y is used already"),
        (S.parallel("out", "x"), r"parallel\('x'\) of Func out: it must be the outermost loop; reorder it before y"),
        (S.parallel("out", "y").vectorize("out", "y", 4), r"loop y is parallel already"),
        (S.compute_at("s", "out", "y").parallel("s", "y"), r"only a Func computed at the root has parallel loops"),
        # vectors and reductions
        (S.vectorize("out", "x", 4).vectorize("out", "y", 4), r"one loop is vectorized already; unroll this one"),
        (
            S.vectorize("s", "kx", 4, "shift_inwards"),
            r"kx is a reduction coordinate, which has no tail; leave tail out",
        ),
        (S.vectorize("t", "j", 4), r"the order of a sum of f32 is part of its value"),
        (S.vectorize("t", "m", 4), r"the order of a argmax of i32 is part of its value"),
        (S.vectorize("w", "wx", 4), r"the order of a fold of i32 is part of its value"),
        (S.reorder("w", "wx", "wy"), r"the order of a fold of i32 is part of its value"),
        (S.unroll("out", "z", 4), r"there is no loop z"),
        (S.vectorize("s", "ky", 4), r"kx is inside ky in the reduction; vectorize kx, or reorder to kx, ky"),
        (
            S.vectorize("s", "kx", 4).reorder("s", "kx", "ky"),
            r"ky is inside kx in the reduction; vectorize ky, or reorder",
        ),
        (
            S.vectorize("s", "kx", 4).unroll("s", "kx", 2),
            r"unroll\('kx', 2\) of Func s: kx is vectorized; unroll another coordinate, or remove one of the two",
        ),
        # where it is computed and stored
        (S.inline("out"), r"the output is always computed at the root"),
        (S.compute_at("out", "s", "x"), r"the output is always computed at the root"),
        (S.compute_root("a").inline("a"), r"it has compute_root\(\) already"),
        (S.inline("a").vectorize("a", "x", 4), r"an inlined Func has no loops and no storage"),
        (S.compute_at("s", "z", "x"), r"there is no Func z"),
        (S.compute_at("s", "out", "z"), r"out has no loop z; its loops are y, x"),
        (S.compute_at("a", "s", "x").compute_at("s", "out", "z"), r"of Func s: out has no loop z"),
        (S.compute_at("a", "t", "x"), r"s reads a outside that loop; choose a loop that encloses all of its consumers"),
        (S.compute_at("s", "a", "x"), r"a is inlined and has no loops"),
        (
            S.compute_at("s", "out", "x_vi").vectorize("out", "x", 4),
            r"loop x_vi is vectorized; choose a loop outside it",
        ),
        (S.compute_at("s", "s", "x"), r"cannot be computed inside itself"),
        (S.compute_at("s", "out", "y").store_at("s", "out", "x"), r"it must enclose where s is computed"),
        (
            S.compute_at("s", "out", "y").fold_storage("s", "y"),
            r"stored where it is computed, so there is nothing to fold",
        ),
        (S.fold_storage("s", "z"), r"z is not a coordinate; those are y, x"),
        (
            S.compute_at("s", "out", "x").store_root("s").fold_storage("s", "x").fold_storage("s", "y"),
            r"fold_storage\('y', 0\) of Func s: it has fold_storage\('x', 0\) already; keep one of the two",
        ),
        (S.store_root("out"), r"its storage is the caller's array"),
        (S.reorder_storage("out", "x", "y"), r"its storage is the caller's array"),
        (S.align_storage("out", "x", 8), r"its storage is the caller's array"),
        (S.reorder_storage("s", "x"), r"it must name all of y, x, each once"),
        (S.align_storage("s", "kx", 8), r"kx is not a coordinate"),
        (S.specialize("out", "m", 8), r"pipeline out has no integer Param m"),
        (S.specialize_ranges("out", "m", 4, 16), r"pipeline out has no integer Param m"),
        (S.loads("out", "picture", "gather"), r"pipeline out has no Input or Func picture"),
        (S.prefetch("out", "picture", 4096), r"prefetch.*of Func out: pipeline out has no Input or Func picture"),
        (S.prefetch_next("out", "picture", "y", "y"), r"pipeline out has no Input or Func picture"),
        (S.prefetch_next("out", "s", "z", "y"), r"there is no loop z; the loops are y, x"),
        (S.prefetch_next("out", "s", "y", "x"), r"loop x is inside y; name one around it, or y itself"),
        (
            S.compute_at("s", "out", "y").prefetch_next("out", "s", "x", "y"),
            r"s cannot be prefetched: it is computed inside a loop",
        ),
        (
            S.prefetch_next("out", "a", "x", "y"),
            r"a cannot be prefetched: it is inlined; only Inputs and compute_root Funcs can",
        ),
        (
            S.vectorize("out", "x", 4).prefetch_next("out", "s", "x_vi", "y"),
            r"loop x_vi is vectorized; choose one whose",
        ),
        (S.prefetch_next("out", "image", "x", "y"), r"nothing that is computed in loop y reads image"),
        (S.prefetch_stores("out", "z"), r"there is no loop z; the loops are y, x"),
        (S.vectorize("out", "x", 4).prefetch_stores("out", "x_vi"), r"loop x_vi is vectorized; choose one whose"),
        (S.stream("out").prefetch_stores("out", "y"), r"needs no lines there; remove it, or stream"),
    ],
)
def test_illegal_schedules_say_why(schedule: Schedule, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        schedule.check(P)


def sums(shared: bool) -> Pipeline:
    """A sum of floats, which is inlined, and one of integers; over one domain, or over two that look alike."""
    y, x = variables("y x")
    image, a, both = Input("image", f32, 2), Func("a"), Func("both")
    r = RDom(ky=3, kx=8)
    q = r if shared else RDom(ky=3, kx=8)
    a[y, x] = sum_over(r, image[y + r.ky, x + r.kx])
    both[y, x] = a[y, x] + cast(f32, sum_over(q, cast(i32, image[y + q.ky, x + q.kx])))
    return Pipeline(both)


@pytest.mark.parametrize(
    "schedule", [S.reorder("both", "kx", "ky"), S.vectorize("both", "kx", 4), S.unroll("both", "kx", 4)]
)
def test_the_loops_of_one_domain_leave_those_of_another_alone(schedule: Schedule) -> None:
    pipeline = sums(shared=False)
    image = (np.random.default_rng(0).random((12, 30), np.float32) - 0.5) * 1000
    found = Kernel(pipeline, schedule.inline("a"))(shape=(10, 20), image=image)
    assert np.array_equal(found, interpret(pipeline, (10, 20), {"image": image}))


@pytest.mark.parametrize("schedule", [S.reorder("both", "kx", "ky"), S.vectorize("both", "kx", 4)])
def test_the_order_of_a_domain_is_that_of_all_that_is_reduced_over_it(schedule: Schedule) -> None:
    schedule.check(sums(shared=True))  # where the sum of floats is not inlined
    with pytest.raises(ScheduleError, match=r"of Func both: the order of a sum of f32 is part of its value"):
        schedule.inline("a").check(sums(shared=True))


def test_reductions_have_an_order_each() -> None:
    y, x = variables("y x")
    image, both = Input("image", u8, 2), Func("both")
    r, q = RDom(ky=2, kx=3), RDom(jy=2, jx=3)
    both[y, x] = sum_over(r, cast(i32, image[y + r.ky, x + r.kx])) * sum_over(q, cast(i32, image[y + q.jy, x + q.jx]))
    text = S.reorder("both", "kx", "ky").reorder("both", "jx", "jy").show(Pipeline(both))
    assert "sum over kx, ky" in text and "sum over jx, jy" in text


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (d.Inline(), d.Inline()),
        (d.ComputeAt("out", "y"), d.ComputeRoot()),
        (d.StoreRoot(), d.StoreRoot()),
        (d.StoreAt("out", "y"), d.StoreRoot()),
        (d.FoldStorage("y"), d.FoldStorage("y", 4)),
        (d.AlignStorage("x", 8), d.AlignStorage("x", 16)),
        (d.ReorderStorage(("x", "y")), d.ReorderStorage(("y", "x"))),
        (d.Stream(), d.Stream()),
        (d.Loads("a", "gather"), d.Loads("a", "pick")),
        (d.Prefetch("a", 64), d.Prefetch("a", 128)),
        (d.PrefetchNext("image", "x", "y"), d.PrefetchNext("image", "x", "y")),
        (d.PrefetchStores("y"), d.PrefetchStores("x")),
        (d.Specialize("n", 3), d.Specialize("n", 3)),
        (d.SpecializeRanges("n", 4, 8), d.SpecializeRanges("n", 4, 8)),
        (d.Vectorize("kx", 4), d.Vectorize("kx", 2)),
        (d.Unroll("kx", 4), d.Unroll("kx", 2)),
        (d.Reorder(("kx", "ky")), d.Reorder(("ky", "kx"))),
    ],
)
def test_of_two_directives_that_say_the_same_one_is_refused(first: d.Directive, second: d.Directive) -> None:
    with pytest.raises(ScheduleError) as caught:
        S.add("s", first, second).check(P)
    assert str(caught.value) == f"{second} of Func s: it has {first} already; keep one of the two"


def test_what_differs_may_be_said_of_each() -> None:
    many = S.align_storage("s", "y", 2).align_storage("s", "x", 8).loads("s", "a", "pick").loads("s", "image", "gather")
    many = many.specialize("s", "n", 3).specialize("s", "n", 4).specialize_ranges("s", "n", 4, 8)
    many = many.specialize_ranges("s", "n", 2, 4).prefetch_next("s", "image", "x", "y")
    many.prefetch_next("s", "image", "x", "y", 2).unroll("s", "ky", 3).unroll("s", "kx", 2).check(P)


def test_what_has_no_effect_is_shown() -> None:
    """Lanes read `image` for `s`, into which `a` is inlined, and not for `out`, which reads what `s` has stored."""
    shown = S.loads("s", "image", "pick").loads("out", "image", "gather").prefetch("out", "image", 256).show(P)
    assert "with loads('image', 'pick')\n" in shown
    assert "with loads('image', 'gather') (no effect: out does not read image)\n" in shown
    assert "with prefetch('image', 256) (no effect: out does not read image)\n" in shown


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            S.split("out", "x", "o", "i", 4).reorder("out", "i", "o"),
            r"loop i of Func out: its extent depends on loop o inside it.*use tail shift_inwards",
        ),
        (
            S.split("out", "x", "o", "i", 4).vectorize("out", "o", 8),
            r"loop i of Func out: its extent would differ from lane to lane.*use tail shift_inwards",
        ),
        (
            S.split("out", "y", "o", "i", 4)
            .compute_at("s", "out", "x")
            .store_at("s", "out", "o")
            .fold_storage("s", "x"),
            r"it must be computed in the loop just inside where it is stored",
        ),
    ],
)
def test_schedules_that_lowering_refuses(schedule: Schedule, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        lower(P, schedule)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: S.split("f", "x", "o", "i", 0), r"split of Func f: factor is 0; it must be 1\.\.1048576"),
        (lambda: S.split("f", "x", "o", "i", 1 << 21), r"factor is 2097152"),
        (lambda: S.split("f", "x", "o", "i", 2.0), r"factor must be an integer, not 2\.0"),
        (lambda: S.split("f", "x", "o", "i", True), r"factor must be an integer, not True"),
        (lambda: S.split("f", "x", "o", "i", 4, "wrap"), r"tail is 'wrap'; it must be one of guard, round_up"),
        (lambda: S.split("f", "x", "o_", "i", 4), r"outer is 'o_'; names of loops have letters, digits and single"),
        (lambda: S.fuse("f", "x", "y", "_f"), r"fused is '_f'"),
        (lambda: S.vectorize("f", "x", 3), r"lanes is 3; it must be a power of two from 2 to 64"),
        (lambda: S.vectorize("f", "x", 1), r"lanes is 1; it must be 2\.\.64"),
        (lambda: S.vectorize("f", "x", 128), r"lanes is 128"),
        (lambda: S.unroll("f", "x", 65), r"factor is 65; unroll at most 64 times"),
        (lambda: S.unroll("f", "x", 0), r"factor is 0; it must be 1\.\.64"),
        (lambda: S.reorder("f"), r"vars must be names, not \(\)"),
        (lambda: S.reorder("f", "x", "x"), r"vars names a loop twice: x, x"),
        (lambda: S.parallel("f", "x; import os"), r"var must be a name, not 'x; import os'"),
        (lambda: S.parallel("f", 3), r"var must be a name, not 3"),
        (lambda: S.fold_storage("f", "x", -1), r"factor is -1"),
        (lambda: S.align_storage("f", "x", 0), r"multiple is 0"),
        (lambda: S.prefetch("f", "a", 8), r"distance is 8; it must be 64\.\.1048576"),
        (lambda: S.prefetch_next("f", "a", "x", "y", turns=0), r"turns is 0; it must be 1\.\.64"),
        (lambda: S.prefetch_next("f", "a", "x", "y", lines=17), r"lines is 17; it must be 0\.\.16"),
        (lambda: S.prefetch_stores("f", "x", turns=0), r"turns is 0; it must be 1\.\.64"),
        (lambda: S.loads("f", "a", "magic"), r"strategy is 'magic'; it must be one of pick, gather"),
        (lambda: S.specialize("f", "n", 1.5), r"value must be an integer, not 1\.5"),
        (lambda: S.specialize_ranges("f", "n", 0, 8), r"width is 0; it must be 1\.\.64"),
        (lambda: S.specialize_ranges("f", "n", 4, 0), r"most is 0; it must be 1\.\."),
    ],
)
def test_arguments_are_checked_at_once(make: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        make()


# JSON

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,4}", fullmatch=True)
DIRECTIVES = st.one_of(
    st.builds(d.Split, NAMES, NAMES, NAMES, st.integers(1, 64), st.sampled_from(get_args(d.Tail))),
    st.builds(d.Tile, *[NAMES] * 6, st.integers(1, 64), st.integers(1, 64), st.sampled_from(get_args(d.Tail))),
    st.builds(d.Reorder, st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple)),
    st.builds(d.Fuse, NAMES, NAMES, NAMES),
    st.builds(d.Parallel, NAMES),
    st.builds(d.Vectorize, NAMES, st.sampled_from((2, 4, 8, 64)), st.sampled_from(get_args(d.Tail))),
    st.builds(d.Unroll, NAMES, st.integers(1, 64)),
    st.sampled_from([d.Inline(), d.ComputeRoot(), d.StoreRoot()]),
    st.builds(d.ComputeAt, NAMES, NAMES),
    st.builds(d.StoreAt, NAMES, NAMES),
    st.builds(d.FoldStorage, NAMES, st.integers(0, 64)),
    st.builds(d.ReorderStorage, st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple)),
    st.builds(d.AlignStorage, NAMES, st.integers(1, 64)),
    st.builds(d.Stream),
    st.builds(d.Specialize, NAMES, st.integers(-(2**63), 2**63 - 1)),
    st.builds(d.Loads, NAMES, st.sampled_from(get_args(d.LoadStrategy))),
)
SCHEDULES = st.dictionaries(NAMES, st.lists(DIRECTIVES, max_size=5).map(tuple), max_size=4).map(Schedule)


@given(SCHEDULES)
def test_json_both_ways(schedule: Schedule) -> None:
    again = Schedule.from_json(schedule.to_json())
    assert again == schedule
    assert hash(again) == hash(schedule)
    assert again.to_json() == schedule.to_json()
    assert pickle.loads(pickle.dumps(schedule)) == schedule


def test_json_has_a_stable_order() -> None:
    one = S.vectorize("b", "x", 4).compute_root("a")
    other = S.compute_root("a").vectorize("b", "x", 4)
    assert one == other
    assert one.to_json() == other.to_json()
    assert json.loads(one.to_json()) == {
        "schema": SCHEMA,
        "funcs": {"a": [{"op": "compute_root"}], "b": [{"op": "vectorize", "var": "x", "lanes": 4, "tail": "guard"}]},
    }


def of(item: Any) -> str:
    return json.dumps({"schema": SCHEMA, "funcs": {"f": [item]}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the schedule is not JSON"),
        ("{", "the schedule is not JSON"),
        ("[" * 100000, "the schedule is not JSON"),
        ("[]", "must be an object with 'schema' and 'funcs'"),
        ('{"schema": 1}', "must be an object with 'schema' and 'funcs'"),
        ('{"schema": 1, "funcs": []}', "must be an object with 'schema' and 'funcs'"),
        ('{"schema": 99, "funcs": {}}', "schema 99 is not known; this version reads"),
        ('{"schema": 1, "funcs": {"f": {}}}', "Func f: its directives must be a list"),
        (of(3), "a directive must be an object with an 'op', not 3"),
        (of({}), "a directive must be an object with an 'op'"),
        (of({"op": "explode"}), "unknown directive 'explode'; there are align_storage"),
        (of({"op": ["split"]}), "unknown directive"),
        (of({"op": "__class__"}), "unknown directive '__class__'"),
        (of({"op": "parallel"}), "parallel of Func f: missing argument var"),
        (of({"op": "parallel", "var": "x", "op2": 1}), "unknown argument op2; it takes var"),
        (of({"op": "parallel", "var": "x\nimport os"}), "var must be a name"),
        (of({"op": "parallel", "var": ["x"]}), "var must be a name"),
        (of({"op": "parallel", "var": None}), "var must be a name"),
        (of({"op": "reorder", "vars": "xy"}), "vars must be names"),
        (of({"op": "reorder", "vars": [["x"]]}), "vars must be names"),
        (of({"op": "unroll", "var": "x", "factor": 1e3}), "factor must be an integer"),
        (of({"op": "unroll", "var": "x", "factor": 10**30}), "factor is 1000"),
        (of({"op": "vectorize", "var": "x", "lanes": 4, "tail": ["guard"]}), "tail is"),
        (of({"op": "vectorize", "var": "x", "lanes": 4, "tail": {"a": 1}}), "tail is"),
        (of({"op": "specialize", "param": "n", "value": "1"}), "value must be an integer"),
    ],
)
def test_hostile_json(text: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        Schedule.from_json(text)


KEYS = st.sampled_from(["schema", "funcs", "op", "var", "vars", "factor", "lanes", "tail", "f", "split", "reorder"])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(DATA)
def test_any_data_is_a_schedule_or_an_error(data: Any) -> None:
    for given_ in (data, {"schema": SCHEMA, "funcs": data}, {"schema": SCHEMA, "funcs": {"f": [data]}}):
        with suppress(ScheduleError):
            assert isinstance(Schedule.from_data(given_), Schedule)


# what is shown


def test_the_loop_nest_is_shown() -> None:
    schedule = (
        S.tile("out", "y", "x", "yo", "xo", "yi", "xi", 8, 32)
        .parallel("out", "yo")
        .vectorize("out", "xi", 16)
        .compute_at("s", "out", "yi")
        .store_at("s", "out", "xo")
        .fold_storage("s", "y", 4)
        .unroll("s", "x", 2)
    )
    assert schedule.show(P) == "\n".join(
        [
            "pipeline out:",
            "  store w[y, x]",
            "  store t[y, x]",
            "  produce w:",
            "    for y:",
            "      for x:",
            "        fold over wy, wx",
            "        w[y, x] = ...",
            "  produce t:",
            "    for y:",
            "      for x:",
            "        sum over j",
            "        argmax over m",
            "        t[y, x] = ...",
            "  produce out:",
            "    parallel yo:",
            "      for xo:",
            "        store s[y, x] (fold y by 4)",
            "        for yi:",
            "          produce s:",
            "            for y:",
            "              for x_uo:",
            "                unrolled x_ui x2:",
            "                  sum over ky, kx",
            "                  s[y, x] = ...",
            "          for xi_vo:",
            "            vectorized xi_vi x16:",
            "              out[y, x] = ...",
        ]
    )


def test_what_makes_no_loop_is_shown() -> None:
    schedule = S.compute_at("s", "out", "y").store_root("s").fold_storage("s", "y").vectorize("s", "ky", 2)
    schedule = schedule.parallel("out", "y").vectorize("out", "x", 4, "shift_inwards").stream("out")
    schedule = schedule.unroll("w", "wx", 2).reorder("s", "kx", "ky")
    lines = [line.strip() for line in schedule.show(P).splitlines()]
    assert "store s[y, x] (fold y) for each range of y" in lines
    assert "vectorized x_vi x4 (shift_inwards):" in lines
    assert "with stream()" in lines
    assert "fold over wy, wx unrolled x2" in lines
    assert "sum over kx, ky vectorized x2" in lines


def test_what_show_can_show() -> None:
    assert "def stage_out(" in S.show(P, "source")
    Kernel(P).bind(shape=(2, 2), image=np.zeros((10, 10), np.uint8), n=1)  # in Numba's cache from here on
    assert "define" in S.show(P, "llvm")
    assert ".globl" in S.show(P, "asm")
    with pytest.raises(ScheduleError, match="'nothing' is not one of loops, source, llvm, asm"):
        S.show(P, "nothing")


def test_what_is_shown_is_what_runs() -> None:
    """The kernel for C-contiguous arrays; that of others is shown by a call that is bound to them."""
    y, x = variables("y x")
    source, out = Input("source", f32, 2), Func("out")
    out[y, x] = cast(i32, source[y, x])
    pipeline, schedule = Pipeline(out), S.vectorize("out", "x", 8)
    wide = np.zeros((4, 32), np.float32)
    dense = Kernel(pipeline, schedule).bind(shape=(4, 16), source=np.ascontiguousarray(wide[:, :16]))
    other = Kernel(pipeline, schedule).bind(shape=(4, 16), source=np.repeat(wide, 8, axis=1)[:, ::8])
    assert dense.show() == schedule.show(pipeline, "source") != other.show()
    assert "pick_f32x8(" not in dense.show() and "pick_f32x8(" in other.show()
    assert ".globl" in other.show("asm")
    with pytest.raises(ScheduleError, match="'loops' is not one of source, llvm, asm"):
        dense.show("loops")
    assert "cvttss2si" not in dense.show("asm"), "floats become integers lane by lane"


def test_funcs_and_vars_stand_for_their_names() -> None:
    y, x = variables("y x")
    f = Func("f")
    f[y, x] = y + x
    plain = Schedule().vectorize("f", "x", 8).reorder("f", "x", "y")
    assert Schedule().vectorize(f, x, 8).reorder(f, x, y) == plain  # type: ignore[arg-type]
