"""Images in squares: what a padded copy would hold, in any rows, from any memory."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import Pieces

from autosched.runtime import Bands
from autosched.vlm.square import Square, squared

#: Pixels in rows, with a fourth byte that is not theirs, in planes, and in every second column.
LAYOUTS = ("packed", "padded", "planar", "strided")


def image(layout: str, height: int, width: int) -> np.ndarray:
    """Random pixels [H, W, 3]."""
    made = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    if layout == "padded":
        return np.concatenate([made, made[:, :, :1]], axis=2)[:, :, :3]
    if layout == "planar":
        return np.ascontiguousarray(made.transpose(2, 0, 1)).transpose(1, 2, 0)
    return np.repeat(made, 2, axis=1)[:, ::2] if layout == "strided" else made


@given(st.sampled_from(LAYOUTS), st.integers(1, 40), st.integers(1, 40), st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_rows_of_a_square(layout: str, height: int, width: int, pieces: bool, data: st.DataObject) -> None:
    pixels = image(layout, height, width)
    side = max(height, width)
    expected = np.empty((side, side, 3), np.uint8)
    expected[...] = (1, 2, 3)
    top, left = (side - height) // 2, (side - width) // 2
    expected[top : top + height, left : left + width] = pixels
    made = squared(Pieces(pixels, [height // 2]) if pieces and layout == "packed" else pixels, (1, 2, 3))
    first = data.draw(st.integers(0, side - 1))
    last = data.draw(st.integers(first + 1, side))
    rows = made.rows(first, last) if isinstance(made, Bands) else made[first:last]
    np.testing.assert_array_equal(rows, expected[first:last])
    assert isinstance(made, Square) == (height != width)


def test_few_rows_are_put_together_at_once() -> None:
    made = squared(image("packed", 4000, 1000), (0, 0, 0))
    assert isinstance(made, Bands) and made.end(7) * made.strides[0] < 1 << 19


@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_of_a_square_have_its_strides(layout: str) -> None:
    made = squared(image(layout, 30, 20), (0, 0, 0))
    assert isinstance(made, Bands) and made.rows(2, 9).strides == made.strides
