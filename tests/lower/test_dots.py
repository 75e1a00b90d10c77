"""Widening dot products: where they apply, and where the sum is the same in all lanes."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import assert_equals_interpreter, compile_for

from autosched.codegen.printer import print_kernel
from autosched.lang import Func, Input, Pipeline, RDom, Type, cast, clamp, i8, i16, i32, sum_over, u8, variables
from autosched.lower.demands import Target
from autosched.lower.lower import Layout, lower
from autosched.schedule import Schedule

Y, X = variables("y x")


@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("weight", [i8, i16, i32])
@pytest.mark.parametrize("vectorized", ["y", "x"])
def test_sums_that_do_not_vary_with_the_lanes(vectorized: str, weight: Type, lanes: int) -> None:
    data, weights, begin = Input("data", u8, 1), Input("weights", weight, 2), Input("begin", i32, 1, bounds=(0, 9))
    r, f = RDom(k=7), Func("f")
    row = clamp(Y, 0, 4)
    f[Y, X] = sum_over(r, cast(i32, data[begin[row] + r.k]) * cast(i32, weights[row, r.k])) + cast(i32, X)
    schedule = Schedule().vectorize("f", vectorized, 8).vectorize("f", "k", lanes)
    rng = np.random.default_rng(0)
    limits = {"low": weight.min, "high": weight.max, "endpoint": True, "dtype": weight.dtype}
    assert_equals_interpreter(
        f,
        (5, 19),
        schedule,
        data=rng.integers(0, 256, 16, dtype=np.uint8),
        weights=rng.integers(size=(5, 7), **limits),
        begin=np.array([9, 0, 3, 3, 7], np.int32),
    )


@pytest.mark.parametrize(("quads", "word"), [(True, "pick_i32x8"), (False, "pick_u16x8")])
@pytest.mark.parametrize("taps", [1, 3, 4, 7])
def test_neighbouring_taps_are_read_as_one_word(
    taps: int, quads: bool, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On CPUs without byte permutes, from memory of our own, also where the last taps are not there."""
    chosen = Target(permutes=False, words=False, quads=quads)
    compile_for(chosen, monkeypatch)
    data, weights, begin = Input("data", u8, 1), Input("weights", i8, 2), Input("begin", i32, 1, bounds=(0, 40))
    r, plane, f = RDom(k=taps), Func("plane"), Func("f")
    plane[X] = data[X] ^ cast(u8, 0x5A)
    f[X] = sum_over(r, cast(i32, plane[begin[X] + r.k]) * cast(i32, weights[X, r.k]))
    schedule = Schedule().compute_root("plane").vectorize("f", "x", 8).vectorize("f", "k", 4)
    rng = np.random.default_rng(taps)
    assert_equals_interpreter(
        f,
        (19,),
        schedule,
        data=rng.integers(0, 256, 40 + taps, dtype=np.uint8),
        weights=rng.integers(-128, 128, (19, taps), dtype=np.int8),
        begin=np.sort(rng.integers(0, 41, 19)).astype(np.int32),
    )
    text = print_kernel(lower(Pipeline(f), schedule, Layout({}, {}, chosen)))
    assert word in text and "pick_u8x8" not in text.split("def stage_f")[1]
