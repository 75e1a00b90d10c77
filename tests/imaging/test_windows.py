"""Windows of an axis: crops and padding are slices of its table, and rows without weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.errors import ArgumentError
from autosched.imaging.coefficients import AxisTable, axis_table, axis_window

flavours = st.sampled_from(["torchvision", "pillow"])
filters = st.sampled_from(["bilinear", "bicubic", "lanczos"])


def resampled(row: np.ndarray, table: AxisTable) -> np.ndarray:
    """The bytes that a table makes of a row."""
    index = table.begin[None, :] + np.arange(table.taps)[:, None]
    total = (row.astype(np.int64)[index] * table.weights.astype(np.int64)).sum(0)
    return np.clip((total + (1 << (table.precision - 1))) >> table.precision, 0, 255).astype(np.uint8)


@given(st.integers(1, 60), st.integers(1, 60), filters, flavours, st.integers(-20, 70), st.integers(1, 90), st.data())
@settings(max_examples=300, deadline=None)
def test_windows_crop_and_pad(
    size: int, out: int, filter: str, flavour: str, start: int, extent: int, data: st.DataObject
) -> None:
    row = np.array(data.draw(st.lists(st.integers(0, 255), min_size=size, max_size=size)), np.uint8)
    whole = resampled(row, axis_table(size, out, filter, flavour))  # type: ignore[arg-type]
    window = axis_window(size, out, filter, flavour, start, start + extent)  # type: ignore[arg-type]
    expected = np.zeros(extent, np.uint8)
    for i in range(extent):
        if 0 <= start + i < out:
            expected[i] = whole[start + i]
    np.testing.assert_array_equal(resampled(row, window), expected)
    assert (np.diff(window.begin) >= 0).all() and window.begin.min() >= 0
    assert window.begin.max() + window.taps <= size


def test_an_axis_that_does_not_change_has_one_tap() -> None:
    assert axis_window(30, 30, "lanczos", "torchvision", 0, 30).taps == 1
    assert axis_window(30, 30, "bicubic", "pillow", -3, 20).taps == 1


def test_windows_are_kept_and_read_only() -> None:
    window = axis_window(30, 20, "bicubic", "torchvision", 2, 12)
    assert window is axis_window(30, 20, "bicubic", "torchvision", 2, 12)
    assert not window.begin.flags.writeable and not window.weights.flags.writeable
    with pytest.raises(ArgumentError, match=r"Outputs 5\.\.4 of an axis are none"):
        axis_window(30, 20, "bicubic", "torchvision", 5, 5)
