"""Spaces from algorithms: every point is legal, computes the same bits, and the usual schedules are among them."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import blur_family
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from pyramid import pyramid

from autosched.errors import ScheduleError
from autosched.lang import Func, Input, Pipeline, RDom, cast, clamp, f32, i8, i32, max_over, sum_over, u8, variables
from autosched.lang.interpret import interpret
from autosched.lang.sizes import inlined_sizes, largest_inlined
from autosched.lower.lower import lower
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule
from autosched.schedule.directives import AlignStorage, Directive, FoldStorage, PrefetchStores, Stream, Vectorize
from autosched.schedule.nest import resolve
from autosched.tune.check import reference
from autosched.tune.constraints import Constraint
from autosched.tune.derive import derive
from autosched.vlm.registry import get
from experiments.apps.programs import matmul

TESTS = Path(__file__).parent.parent
sys.path += [str(TESTS / "apps"), str(TESTS / "property")]
from classics import APPS  # noqa: E402
from programs import Program, programs  # noqa: E402


def _convolution() -> Pipeline:
    """Integers, whose sums have no order: along k, then the largest of three rows; three coordinates."""
    c, y, x = variables("c y x")
    image, weights, conv, largest = Input("image", u8, 2), Input("weights", i8, 2), Func("conv"), Func("largest")
    r, rows = RDom(j=3, k=weights.extent(1)), RDom(dy=3)
    conv[c, y, x] = sum_over(r, cast(i32, image[y + r.j, x + r.k]) * cast(i32, weights[c, r.k]))
    largest[c, y, x] = max_over(rows, conv[c, y + rows.dy, x])
    return Pipeline(largest, "convolution")


def _rows() -> Pipeline:
    """One coordinate is left."""
    (y,) = variables("y")
    image, total = Input("image", u8, 2), Func("total")
    r = RDom(x=image.extent(1))
    total[y] = sum_over(r, cast(i32, image[y, r.x]))
    return Pipeline(total, "rows")


REDUCING = {"matmul": matmul(), "convolution": _convolution(), "rows": _rows()}
PIPELINES = {
    **{name: make().pipeline for name, make in APPS.items()},
    "qwen2.5-vl": get("qwen2.5-vl").pipeline(),
    "blur-test": blur_family.pipeline(),
    **REDUCING,
}


@pytest.mark.parametrize("name", PIPELINES)
def test_every_point_is_legal(name: str) -> None:
    """Constraints construct the space: nothing that is drawn is illegal."""
    pipeline = PIPELINES[name]
    space = derive(pipeline)
    assert space.count() > 5_000
    rng = random.Random(0)
    for _ in range(200):
        point = space.sample(rng)
        assert space.contains(point)
        space.schedule(point).check(pipeline)
    for point in (space.default(), *(space.sample(rng) for _ in range(4)), *space.named.values()):
        assert space.contains(point)
        lower(pipeline, space.schedule(point))


@seed(0)
@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(program=programs())
def test_points_of_random_programs_are_legal(program: Program) -> None:
    pipeline = program.pipeline()
    space = derive(pipeline)
    rng = random.Random(program.seed)
    for n in range(10):
        schedule = space.schedule(space.sample(rng))
        try:
            schedule.check(pipeline)
            if n == 0:
                lower(pipeline, schedule)
        except ScheduleError as error:
            pytest.fail(f"{program.text}\n{schedule.to_json()}\n{error}")


@pytest.mark.parametrize("guarded", [True, False])
def test_no_point_reads_beside_an_input(guarded: bool) -> None:
    """Lanes of what reads an Input as it is are not rounded up: there may be nothing behind its last element."""
    y, x = variables("y x")
    source, rows, blur = Input("source", u8, 2), Func("rows"), Func("blur")
    at = [clamp(x + i, 0, source.extent(1) - 1) if guarded else x + i for i in range(3)]
    where = clamp(y, 0, source.extent(0) - 1) if guarded else y
    rows[y, x] = cast(i32, source[where, at[0]]) + cast(i32, source[where, at[1]]) + cast(i32, source[where, at[2]])
    blur[y, x] = cast(u8, (rows[y, x] + rows[y + 1, x] + rows[y + 2, x]) // 9)
    pipeline = Pipeline(blur, "blur")
    space = derive(pipeline)
    assert ("rows_tail" in [knob.name for knob in space.knobs]) == guarded
    rng = random.Random(1)
    image = np.zeros((40, 67), np.uint8)
    for _ in range(8):
        compile_kernel(pipeline, space.schedule(space.sample(rng))).bind(shape=(38, 65), source=image)


def test_points_compute_the_same_bits() -> None:
    pipeline = blur_family.pipeline()
    space = derive(pipeline)
    (call,) = blur_family.workload(blur_family.specimens({"sizes": [[70, 50]]}), {}).bindings
    expected = reference(pipeline, call)
    for place in ("inline", "root", "strip", "tile", "row", "sliding"):
        point = space.nearest({**space.default(), "rows_at": place, "tile": 32, "strips": 8, "tail": "shift_inwards"})
        assert point["rows_at"] == place
        kernel = compile_kernel(pipeline, space.schedule(point))
        assert np.array_equal(kernel(shape=call.shape, threads=2, **call.given), expected), place


def _given(name: str) -> tuple[tuple[int, ...], dict[str, np.ndarray]]:
    """Inputs of a reducing pipeline, and the shape of its output: no block divides them."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (31, 60), np.uint8)
    if name == "matmul":
        return (37, 45), {"a": rng.random((37, 29), np.float32), "b": rng.random((29, 45), np.float32)}
    if name == "convolution":
        return (5, 27, 54), {"image": image, "weights": rng.integers(-128, 128, (5, 7)).astype(np.int8)}
    return (31,), {"image": image}


@pytest.mark.parametrize("name", REDUCING)
def test_points_of_reductions_compute_the_same_bits(name: str) -> None:
    pipeline, (shape, given) = REDUCING[name], _given(name)
    expected = interpret(pipeline, shape, given)
    space, rng = derive(pipeline), random.Random(2)
    for point in (space.default(), *(space.sample(rng) for _ in range(4))):
        kernel = compile_kernel(pipeline, space.schedule(point))
        assert np.array_equal(kernel(shape=shape, threads=2, **given), expected), point


@pytest.mark.parametrize("known", [True, False])
def test_points_of_the_loops_of_a_reduction_differ(known: bool) -> None:
    """Each choice of what is innermost, taken at once and written out is another nest, and lanes are innermost."""
    y, x = variables("y x")
    image, total = Input("image", u8, 2), Func("total")
    r = RDom(j=3, k=4) if known else RDom(j=image.extent(0), k=image.extent(1))
    total[y, x] = sum_over(r, cast(i32, image[y + r.j, x + r.k]))
    pipeline = Pipeline(total)
    space = derive(pipeline)
    knobs = [k for k in space.knobs if k.name.startswith(("j_", "k_"))]
    rest = {name: value for name, value in space.default().items() if name not in {k.name for k in knobs}}
    shown, terms = [], set()
    for values in product(*((None, *k.choices) for k in knobs)):
        chosen = {k.name: v for k, v in zip(knobs, values, strict=True) if v is not None}
        if space.contains({**rest, **chosen}):
            schedule = space.schedule({**rest, **chosen})
            shown.append(schedule.show(pipeline))
            terms |= {x.var for x in schedule.funcs["total"] if isinstance(x, Vectorize) and x.var in ("j", "k")}
    assert len(set(shown)) == len(shown) == (28 if known else 18)
    assert terms == {"j", "k"}


def test_rows_and_blocks_share_the_loop_of_a_reduction() -> None:
    """What a person would write for a matrix product: 8 rows of 2 vectors are summed in one loop."""
    space = derive(REDUCING["matmul"])
    point = space.nearest({**space.default(), "rows": 8, "lanes": 16, "tail": "shift_inwards", "unroll": 2})
    nest = resolve(REDUCING["matmul"], space.schedule(point)).funcs["product"]
    assert [(x.name, x.kind, x.lanes) for x in nest.loops[-3:]] == [
        ("lane", "vectorized", 16), ("shared", "unrolled", 8), ("blocki", "unrolled", 2),
    ]  # fmt: skip


def test_the_order_of_integers_is_a_choice_where_no_sum_of_floats_shares_their_domain() -> None:
    y, x = variables("y x")
    image, floats, both = Input("image", u8, 2), Func("floats"), Func("both")
    r, q = RDom(j=3, k=4), RDom(m=3, n=4)
    floats[y, x] = sum_over(r, cast(f32, image[y + r.j, x + r.k]))
    integers = (sum_over(d, cast(i32, image[y + dy, x + dx])) for d, dy, dx in ((r, r.j, r.k), (q, q.m, q.n)))
    both[y, x] = floats[y, x] + cast(f32, sum(integers))
    space = derive(Pipeline(both))
    assert {k.name for k in space.knobs if k.name.endswith(("_inner", "_terms"))} == {"n_inner", "n_terms"}
    for point in (space.sample(random.Random(i)) for i in range(100)):
        space.schedule(point).check(Pipeline(both))


def test_blocks_that_fill_the_registers_are_tried_first() -> None:
    """28 sums at most, of whole vectors, along each coordinate that has no lanes."""
    named = derive(REDUCING["convolution"]).named
    assert {(p["axis"], p["rows"], p["unroll"]) for p in named.values()} == {
        (axis, rows, unroll) for axis in ("c", "y") for rows, unroll in ((14, 2), (12, 2), (8, 2), (6, 4))
    }
    assert not derive(PIPELINES["blur-test"]).named


def test_what_a_person_would_write_is_there() -> None:
    """The usual schedule of a blur: strips to threads, lanes along x, the rows in the strip."""
    pipeline = blur_family.pipeline()
    space = derive(pipeline)
    point = space.nearest({**space.default(), "rows_at": "strip", "strips": 32})
    funcs = resolve(pipeline, space.schedule(point)).funcs
    assert str(funcs["rows"].compute) == "blur.strip"
    assert [(x.name, x.kind) for x in funcs["blur"].loops] == [
        ("strip", "parallel"), ("row", "serial"), ("block", "serial"), ("lane", "vectorized"), ("shared", "unrolled"),
    ]  # fmt: skip
    wanted = Schedule().split("blur", "rows", "strip", "row", 32)
    assert wanted.funcs["blur"][0] in space.schedule(point).funcs["blur"]


def test_rows_that_read_the_same_may_be_computed_at_once() -> None:
    """Those of stencils, also where the overlap is in what they read, but not those that have nothing in common."""
    y, x, v, u = variables("y x v u")
    source = Input("source", u8, 2)
    point, stencil, output = Func("point"), Func("stencil"), Func("output")
    point[y, x] = source[y, x] // 2
    stencil[v, u] = point[v, u] + point[v + 1, u]
    output[y, x] = stencil[y, x + 1] + stencil[y, x]
    space = derive(Pipeline(output, "stencils"))
    assert {k.name: k.choices for k in space.knobs if k.name.endswith("rows")} == {
        "rows": (1, 2, 4),
        "stencil_rows": (1, 2, 4),
    }
    chosen = space.nearest({**space.default(), "rows": 2, "stencil_at": "sliding", "stencil_align": 64})
    funcs = resolve(Pipeline(output, "stencils"), space.schedule(chosen)).funcs
    assert [(x.name, x.lanes) for x in funcs["output"].loops if x.kind == "unrolled"] == [("shared", 2)]
    assert funcs["stencil"].fold == FoldStorage("v") and funcs["stencil"].aligns == (AlignStorage("u", 64),)


def test_windows_slide_along_the_coordinate_that_strips_are_cut_of() -> None:
    """A transposed Func moves by its columns with the output's rows; one that moves with both is kept whole."""
    y, x = variables("y x")
    source = Input("source", u8, 2)
    turned, skewed, output = Func("turned"), Func("skewed"), Func("output")
    turned[y, x] = source[x, y]
    skewed[y, x] = source[y, x]
    output[y, x] = turned[x, y] + turned[x, y + 1] + skewed[y, y + x]
    pipeline = Pipeline(output, "turned")
    space = derive(pipeline)
    point = space.nearest({**space.default(), "turned_at": "sliding", "skewed_at": "sliding"})
    funcs = resolve(pipeline, space.schedule(point)).funcs
    assert funcs["turned"].fold == FoldStorage("x") and funcs["skewed"].fold is None


def test_consumers_decide_where_producers_can_be() -> None:
    """Where the consumer is computed at the root, what it reads cannot be in a strip of the output; inlined, it can."""
    y, x = variables("y x")
    source = Input("source", u8, 2)
    a, b, c = Func("a"), Func("b"), Func("c")
    a[y, x] = source[y, x]
    b[y, x] = a[y, x] + a[y, x + 1]
    c[y, x] = b[y, x] + b[y + 1, x]
    space = derive(Pipeline(c, "chain"))
    options = {}
    a_at = next(k for k in space.knobs if k.name == "a_at")
    for place in ("root", "strip", "inline"):
        point = dict(space.nearest({**space.default(), "b_at": place, "tile": 0}))
        before = {k.name: point[k.name] for k in space.knobs[: space.knobs.index(a_at)] if k.name in point}
        options[place] = set(space.options(a_at, before))
    assert options["root"] == {"inline", "root"}
    assert options["strip"] == {"inline", "root", "strip"}
    assert options["inline"] == {"inline", "root", "strip", "row", "sliding"}


@pytest.mark.parametrize(("stores", "directive"), [("streamed", Stream()), ("fetched", PrefetchStores("row"))])
def test_outputs_may_go_past_the_caches_or_have_lines_fetched(stores: str, directive: Directive) -> None:
    space = derive(PIPELINES["blur-test"])
    drawn = [space.sample(random.Random(i)) for i in range(60)]
    chosen = [point for point in drawn if point.get("stores") == stores]
    assert 0 < len(chosen) < len(drawn) and all(point["lanes"] for point in chosen)
    for point in drawn:
        assert (directive in space.schedule(point).funcs["blur"]) == (point in chosen)


def test_names_of_blocks_do_not_clash() -> None:
    blocko, blocki = variables("blocko blocki")
    image, largest = Input("image", u8, 2), Func("largest")
    rows = RDom(dy=3)
    largest[blocko, blocki] = max_over(rows, image[blocko + rows.dy, blocki])
    pipeline = Pipeline(largest, "names")
    space = derive(pipeline)
    for point in (*space.named.values(), *(space.sample(random.Random(i)) for i in range(30))):
        space.schedule(point).check(pipeline)


def test_names_do_not_clash_and_small_outputs_have_spaces() -> None:
    strip, tile = variables("strip tile")
    source = Input("source", u8, 2)
    out = Func("out")
    out[strip, tile] = source[strip, tile]
    pipeline = Pipeline(out, "names")
    space = derive(pipeline)
    for point in (space.sample(random.Random(i)) for i in range(30)):
        space.schedule(point).check(pipeline)
    (x,) = variables("x")
    line, flat = Input("line", u8, 1), Func("flat")
    flat[x] = line[x]
    pipeline = Pipeline(flat, "line")
    for point in derive(pipeline).points():
        derive(pipeline).schedule(point).check(pipeline)


def test_derived_defaults_keep_definitions_small() -> None:
    pipeline = pyramid(6)
    default = derive(pipeline).default()
    inlined = {f.name for f in pipeline.funcs[:-1] if default[f"{f.name}_at"] == "inline"}
    assert max(inlined_sizes(pipeline, inlined).values()) <= 1000
    assert largest_inlined(pipeline, set()) is None


def test_no_point_inlines_too_much() -> None:
    """What may be inlined is small, all of it at once."""
    pipeline = pyramid(6)
    choices = {knob.name: knob.choices for knob in derive(pipeline).knobs}
    inlined = {f.name for f in pipeline.funcs[:-1] if "inline" in choices[f"{f.name}_at"]}
    assert inlined
    assert max(inlined_sizes(pipeline, inlined).values()) <= 1000


@pytest.mark.parametrize("name", PIPELINES)
def test_small_pipelines_have_every_func_inlined_at_some_point(name: str) -> None:
    choices = {knob.name: knob.choices for knob in derive(PIPELINES[name]).knobs}
    assert all("inline" in choices[f"{f.name}_at"] for f in PIPELINES[name].funcs[:-1])


class _Plain:
    """A constraint that does not say what matters to it of the knobs that are set."""

    def __init__(self, constraint: Constraint) -> None:
        self.knobs, self.holds = constraint.knobs, constraint.holds


def _boxes(count: int) -> Pipeline:
    """Funcs that read one and the same Func, as the means of a guided filter do, and are all read in the end."""
    y, x = variables("y x")
    source, first = Input("source", u8, 2), Func("first")
    first[y, x] = cast(i32, source[y, x])
    total = first[y, x]
    for i in range(count):
        across, down = Func(f"across{i}"), Func(f"down{i}")
        across[y, x] = first[y, x] + first[y, x + i]
        down[y, x] = across[y, x] + across[y + 1, x]
        total = total + down[y, x] * down[y + 1, x]
    out = Func("out")
    out[y, x] = total
    return Pipeline(out, "boxes")


def test_spaces_of_many_funcs_are_counted_by_what_matters_of_their_places() -> None:
    small = derive(_boxes(2))
    plain = replace(small, constraints=tuple(map(_Plain, small.constraints)))
    assert small.count() == plain.count() and len(small._counted) < len(plain._counted)
    large = derive(_boxes(9))
    large.schedule(large.sample(random.Random(0))).check(_boxes(9))
    assert large.count() > 10**30 and len(large._counted) < 20_000
