"""Kernels for ranges of a Param: what is known of it, which kernel a call gets, and the same values from all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernels import same

from autosched.codegen.printer import print_kernel
from autosched.lang import Func, Input, Param, Pipeline, RDom, cast, i8, i32, i64, interpret, sum_over, u8, variables
from autosched.lower import Layout, lower
from autosched.lower.algebra import ceildiv, const
from autosched.lower.ir import Binary, Const, Name
from autosched.lower.wrapping import value_range
from autosched.runtime import Kernel, kernel
from autosched.schedule import Schedule

Y, X = variables("y x")
MOST = 12


def windows() -> Pipeline:
    """Windows of a Func's rows, as many taps as a Param says."""
    image, weights = Input("image", u8, 2), Input("weights", i8, 2)
    begin, taps = Input("begin", i32, 1, monotone=True, bounds=(0, 100)), Param("taps", i64)
    r, plane, f = RDom(k=taps), Func("plane"), Func("f")
    plane[Y, X] = image[Y, X] ^ cast(u8, 0x5A)
    f[Y, X] = sum_over(r, cast(i32, plane[begin[Y] + r.k, X]) * cast(i32, weights[Y, r.k]))
    return Pipeline(f)


COUNTED = Schedule().compute_root("plane").vectorize("f", "x", 16).vectorize("f", "k", 4)
KNOWN = COUNTED.specialize_ranges("f", "taps", 4, MOST)


@pytest.fixture(autouse=True)
def _also_for_small_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "RANGES_FROM", 0)


def test_small_outputs_share_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for single values, which somebody has named."""
    monkeypatch.setattr(kernel, "RANGES_FROM", 60)
    ready = Kernel(windows(), KNOWN.specialize("f", "taps", 4))

    def built(taps: int, width: int) -> Path:
        given = {"image": np.zeros((40, 30), np.uint8), "weights": np.zeros((3, taps), np.int8)}
        return ready.bind(**given, begin=np.zeros(3, np.int32), taps=taps, shape=(3, width)).built.path

    assert built(5, 19) == built(3, 19) == built(14, 20) != built(5, 20) != built(3, 20)
    assert built(4, 19) == built(4, 20) != built(3, 19)


def test_which_kernel_a_call_gets() -> None:
    """One for each range that is met; the narrowest where there are several; the one for all beyond the last."""
    ready = Kernel(windows(), KNOWN.specialize("f", "taps", 4).specialize_ranges("f", "taps", 8, 8))
    image, begin = np.zeros((40, 20), np.uint8), np.zeros(3, np.int32)
    built = {}
    for taps in range(1, MOST + 4):
        call = ready.bind(image=image, weights=np.zeros((3, taps), np.int8), begin=begin, taps=taps, shape=(3, 20))
        built[taps] = call.built.path
    groups = [{1, 2, 3}, {4}, {5, 6, 7, 8}, {9, 10, 11, 12}, {13, 14, 15}]
    assert {path: {n for n, p in built.items() if p == path} for path in built.values()} == {
        built[min(group)]: group for group in groups
    }


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, MOST + 6), st.integers(1, 9), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_all_have_the_same_values(taps: int, height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    begin = np.sort(rng.integers(0, 30, height)).astype(np.int32)
    given_ = {
        "image": rng.integers(0, 256, (begin[-1] + taps, width), np.uint8),
        "weights": rng.integers(-128, 128, (height, taps), np.int8),
        "begin": begin,
    }
    expected = interpret(windows(), (height, width), given_, {"taps": taps})
    for ready in (READY_KNOWN, READY_COUNTED):
        assert same(ready(shape=(height, width), taps=taps, **given_), expected)


READY_KNOWN, READY_COUNTED = Kernel(windows(), KNOWN), Kernel(windows(), COUNTED)


@pytest.mark.parametrize(("within", "turns"), [((1, 4), 1), ((5, 8), 2), ((9, 12), 3), ((13, 16), 4), ((17, 20), None)])
def test_known_turns_are_written_out(within: tuple[int, int], turns: int | None) -> None:
    """Up to four of them; more are a loop, though of a known length."""
    text = print_kernel(lower(windows(), KNOWN, Layout({"plane": {1: 1}}, {"taps": within})))
    main = text.split("if 16 <= ")[-1].split("else:")[0]
    assert main.count("dot_quads_i32x16(") == (turns or 1)
    assert ("for f__k in range(5)" in main) == (turns is None)
    counted = print_kernel(lower(windows(), COUNTED, Layout({"plane": {1: 1}}, {})))
    assert "for f__k in range((index(value_i64(taps)" in counted.split("if 16 <= ")[-1]


def test_what_is_known_of_a_range() -> None:
    taps = Name("taps", i64, data=True, within=(5, 8))
    assert ceildiv(taps, 4) == const(2) and ceildiv(taps, 8) == const(1)
    assert ceildiv(taps, 3) == Binary("floordiv", ceildiv(taps, 3).children[0], const(3))  # 2 or 3
    anything = Name("taps", i64, data=True)
    assert not isinstance(ceildiv(anything, 4), Const)
    assert (value_range(taps).lo, value_range(taps).hi) == (5, 8)
