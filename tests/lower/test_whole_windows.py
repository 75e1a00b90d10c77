"""Windows that are read whole: slices, permutes of them or within blocks, and what happens where they are too small."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernels import compile_for, same

from autosched.lang import Func, Input, Pipeline, RDom, cast, i8, i16, i32, interpret, sum_over, u8, variables
from autosched.lower.demands import Target
from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.schedule.directives import LoadStrategy

C, X = variables("c x")
#: Turns of the loop over nine taps, eight at a time, which are written out one after the other.
TURNS = 2
#: Permutes of bytes anywhere, of words and of bytes within blocks, of bytes within blocks, and none; without the
#: instruction for four products too.
TARGETS = {
    "anywhere": Target(),
    "words": Target(permutes=False),
    "words of pairs": Target(permutes=False, quads=False),
    "blocks": Target(permutes=False, words=False),
    "blocks of pairs": Target(permutes=False, words=False, quads=False),
    "none": Target(permutes=False, shuffles=False, words=False),
}
READS = {
    "anywhere": "permute_quads_",
    "words": "permute_words_",
    "words of pairs": "permute_words_",
    "blocks": "permute_blocks_quads_",
    "blocks of pairs": "permute_blocks_pairs_",
    "none": "pick_i32x",
}


def _resample(owned: bool, lanes: int, taps: int) -> tuple[Pipeline, Schedule]:
    """Windows of an interleaved image's channels, weighted; of planes in memory of our own, or of the image itself."""
    image, weights = Input("image", u8, 2), Input("weights", i8, 2)
    begin = Input("begin", i32, 1, monotone=True, bounds=(0, 200))
    r, plane, f = RDom(k=9), Func("plane"), Func("f")
    plane[C, X] = image[X, C]
    f[C, X] = sum_over(r, cast(i32, plane[C, begin[X] + r.k]) * cast(i32, weights[X, r.k]))
    schedule = Schedule().vectorize("f", "x", lanes).vectorize("f", "k", taps)
    if owned:
        schedule = schedule.compute_root("plane").vectorize("plane", "x", 16).loads("plane", "image", "permute64")
        schedule = schedule.loads("f", "plane", "permute64")
    else:
        schedule = schedule.loads("f", "image", "permute64")
    return Pipeline(f), schedule


def _ready(name: str, monkeypatch: pytest.MonkeyPatch, lanes: int, taps: int, owned: bool = True) -> Kernel:
    """The kernel of `_resample` for a target."""
    compile_for(TARGETS[name], monkeypatch)
    return Kernel(*_resample(owned, lanes, taps))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("taps", [4, 8])
@pytest.mark.parametrize("lanes", [4, 16])
@pytest.mark.parametrize("owned", [True, False], ids=["planes", "pixels"])
def test_windows_are_read_whole(owned: bool, lanes: int, taps: int, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any width: from 1 byte a lane to more than any window holds."""
    ready = _ready(name, monkeypatch, lanes, taps, owned)

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.integers(1, 40), st.sampled_from([3, 4]), st.integers(0, 9), st.integers(0, 2**32 - 1))
    def check(width: int, channels: int, growth: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        begin = np.minimum(np.cumsum(rng.integers(0, growth + 1, width)), 200).astype(np.int32)
        given = {
            "image": rng.integers(0, 256, (begin[-1] + 9, channels), dtype=np.uint8),
            "weights": rng.integers(-128, 128, (width, 9), dtype=np.int8),
            "begin": begin,
        }
        shape = (3, width)
        assert same(ready(shape=shape, **given), interpret(ready.pipeline, shape, given, {}))

    check()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("axes", [(), (0,), (1,), (2,), (0, 1), (1, 2)])
@pytest.mark.parametrize("window", ["permute64", "permute128"])
def test_what_goes_back_in_memory(
    window: LoadStrategy, axes: tuple[int, ...], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lanes of a window lie behind its first, also where the rows of an array that is turned around are behind it."""
    compile_for(TARGETS[name], monkeypatch)
    image, weights = Input("image", u8, 3), Input("weights", i8, 2)
    begin = Input("begin", i32, 1, monotone=True, bounds=(0, 20))
    (y,), r, f = variables("y"), RDom(k=9), Func("f")
    f[C, y, X] = cast(i32, image[y, X, C]) + sum_over(
        r, cast(i32, image[y, begin[X] + r.k, C]) * cast(i32, weights[X, r.k])
    )
    schedule = Schedule().vectorize("f", "x", 16).vectorize("f", "k", 4).loads("f", "image", window)
    rng = np.random.default_rng(3)
    given = {
        "image": np.flip(rng.integers(0, 256, (12, 29, 3), dtype=np.uint8), axes),
        "weights": rng.integers(-128, 128, (21, 9), dtype=np.int8),
        "begin": np.arange(21, dtype=np.int32),
    }
    shape = (3, 12, 21)
    assert same(Kernel(Pipeline(f), schedule)(shape=shape, **given), interpret(Pipeline(f), shape, given, {}))


def _source(ready: Kernel, step: int) -> str:
    """What is compiled for 20 outputs that are `step` pixels apart."""
    begin = np.arange(0, 20 * step, step, dtype=np.int32)
    image, weights = np.zeros((begin[-1] + 9, 3), np.uint8), np.zeros((20, 9), np.int8)
    return ready.bind(shape=(3, 20), image=image, weights=weights, begin=begin).built.path.read_text()


@pytest.mark.parametrize("name", TARGETS)
def test_the_narrowest_windows_that_the_cpu_has(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neighbouring outputs of planes are permuted; where a window is too small for them, words are picked."""
    ready = _ready(name, monkeypatch, 16, 8)

    near, far = _source(ready, 1), _source(ready, 8)
    assert READS[name] in near
    assert "slice_u8x16" in near and "slice_u8x16" in far  # of pixels, which are always equally far apart
    assert "permute_" not in far and "pick_" in far


def test_words_of_one_read_where_lanes_are_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four lanes need 16 bytes at most, three of them in front; else every four lanes have a read of their own."""
    ready = _ready("words", monkeypatch, 16, 4)

    near, far = _source(ready, 3), _source(ready, 4)  # 3 * 3 + 4 + 3 bytes, and 3 * 4 + 4 + 3
    assert "permute_words_u8x64" in near and "load_u8x16(" not in near
    assert "permute_words_" not in far and "concat_u8x64" in far and "permute_blocks_quads_" in far


def test_neighbouring_groups_share_their_words(monkeypatch: pytest.MonkeyPatch) -> None:
    ready = _ready("words", monkeypatch, 16, 8)

    def permutes(step: int) -> int:
        return len(re.findall(r"permute_words_u8x64\(", _source(ready, step)))

    assert permutes(1) == TURNS  # 3 * 1 + 4 + 4 + 3 bytes
    assert permutes(2) == TURNS * 2  # 3 * 2 + 4 + 4 + 3 bytes would be 17


def test_neighbouring_groups_share_their_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight taps are two groups of the same 16 bytes where these reach, and of 16 bytes each where they do not."""
    ready = _ready("blocks", monkeypatch, 16, 8)

    def reads(step: int) -> int:
        return len(re.findall(r"(?:load|read)_u8x16\(", _source(ready, step)))

    assert reads(2) == TURNS * 4  # 3 * 2 + 4 + 4 bytes
    assert reads(3) == TURNS * 8  # 3 * 3 + 4 + 4 bytes would be 17


@pytest.mark.parametrize(("apart", "most"), [(1, 99), (1, i16.max), (20, 99), (20, i16.max)])
def test_values_and_windows_of_one_table_fit_by_themselves(
    apart: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights that need another byte are still read from windows, and those too far apart for these need none."""
    compile_for(Target(), monkeypatch)
    data, weights = Input("data", u8, 1), Input("weights", i16, 1)
    begin = Input("begin", i32, 1, monotone=True, bounds=(0, 320))
    r, f = RDom(k=4), Func("f")
    f[X] = sum_over(r, cast(i32, data[X + r.k]) * cast(i32, weights[r.k])) + cast(i32, weights[begin[X]])
    schedule = Schedule().vectorize("f", "x", 16).vectorize("f", "k", 4).loads("f", "weights", "permute64")
    rng = np.random.default_rng(most)
    given = {
        "data": rng.integers(0, 256, 19, dtype=np.uint8),
        "weights": rng.integers(most - 50, most, 400, dtype=np.int16, endpoint=True),
        "begin": np.arange(0, 16 * apart, apart, dtype=np.int32),
    }
    call = Kernel(Pipeline(f), schedule).bind(shape=(16,), **given)
    assert same(call.run(), interpret(Pipeline(f), (16,), given, {}))
    assert ("permute_i16x16" in call.built.path.read_text()) == (apart == 1)
    assert {pack.planes for pack in call.built.outline.packs} == {2 if most == 99 else 3}
