"""Inputs in pieces: the same results as from one array, whatever the pieces, and no byte of another piece is read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.lang import Func, Input, Pipeline, cast, i32, u8, variables
from autosched.runtime import Bands, Kernel, bind_bands
from autosched.schedule import Schedule


class Pieces(Bands):
    """An array cut into pieces that are far from each other in memory."""

    def __init__(self, array: np.ndarray[Any, Any], cuts: list[int]) -> None:
        self.shape, self.strides, self.dtype = array.shape, array.strides, array.dtype
        self.ends = [*sorted(set(cuts) - {0, len(array)}), len(array)]
        self.pieces = [array[a:b].copy() for a, b in zip([0, *self.ends[:-1]], self.ends, strict=True)]
        self.asked: list[tuple[int, int]] = []

    def rows(self, first: int, last: int) -> np.ndarray[Any, Any]:
        self.asked.append((first, last))
        piece = self.ends.index(self.end(first))
        begin = self.ends[piece - 1] if piece else 0
        if last <= self.ends[piece]:
            return self.pieces[piece][first - begin : last - begin]
        return np.concatenate(self.pieces)[first:last]

    def end(self, row: int) -> int:
        return next(end for end in self.ends if end > row)


def blur() -> Pipeline:
    y, x = variables("y x")
    source = Input("source", u8, 2)
    rows, out = Func("rows"), Func("out")
    rows[y, x] = cast(i32, source[y, x]) + cast(i32, source[y, x + 1]) + cast(i32, source[y, x + 2])
    out[y, x] = cast(u8, (rows[y, x] + rows[y + 1, x] + rows[y + 2, x]) // 9)
    return Pipeline(out, "blur")


PIPELINE = blur()
INLINE = Kernel(PIPELINE, Schedule().parallel("out", "y").vectorize("out", "x", 16))
AT_ROOT = Kernel(PIPELINE, Schedule().compute_root("rows").parallel("out", "y"))
OTHER_LOOP = Kernel(PIPELINE, Schedule().reorder("out", "x", "y").parallel("out", "x"))


@given(st.integers(3, 60), st.integers(3, 80), st.lists(st.integers(0, 60), max_size=6), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_any_pieces(height: int, width: int, cuts: list[int], threads: int) -> None:
    array = np.random.default_rng(height * width).integers(0, 256, (height, width), dtype=np.uint8)
    shape = (height - 2, width - 2)
    expected = INLINE(shape=shape, source=array)
    bands = Pieces(array, [cut for cut in cuts if cut < height])
    call = bind_bands(INLINE, "source", bands, "y", lambda first, last: (first, last + 2), shape=shape)
    np.testing.assert_array_equal(call.run(threads), expected)
    # once a piece, and row by row where its end is among what may be read with a row
    assert threads > 1 or len(bands.asked) <= len(bands.ends) * (4 + -(-256 // width))


@pytest.mark.parametrize("kernel", [AT_ROOT, OTHER_LOOP], ids=["another stage", "another loop"])
def test_all_rows_where_a_schedule_needs_them(kernel: Kernel) -> None:
    array = np.random.default_rng(1).integers(0, 256, (30, 40), dtype=np.uint8)
    bands = Pieces(array, [7, 20])
    call = bind_bands(kernel, "source", bands, "y", lambda first, last: (first, last + 2), shape=(28, 38))
    np.testing.assert_array_equal(call.run(), INLINE(shape=(28, 38), source=array))
    assert bands.asked == [(0, 30)]
