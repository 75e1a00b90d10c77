"""Coefficient tables against the two references, by resizing and weight by weight."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from autosched.errors import ArgumentError
from autosched.imaging.coefficients import (
    PILLOW_PRECISION,
    AxisTable,
    axis_table,
    clear_axis_tables,
    pillow_major,
    vertical_first,
)

try:
    import torch
    from torch.nn.functional import interpolate
    from torchvision.transforms.v2 import functional as tvf
except ImportError:
    torch = None

needs_torchvision = pytest.mark.skipif(torch is None, reason="torch and torchvision are not installed")

FILTERS = ("bilinear", "bicubic", "lanczos")
PIL_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

sides = st.one_of(st.integers(1, 6), st.integers(1, 96), st.integers(1, 400))
filters = st.sampled_from(FILTERS)
seeds = st.integers(0, 2**32 - 1)


def resize_axis(image: np.ndarray, table: AxisTable) -> np.ndarray:
    """Resizes axis 0 of a uint8 array in plain numpy."""
    half = 1 << (table.precision - 1)
    weights = table.weights.astype(np.int64)
    total = np.full((table.begin.size, *image.shape[1:]), half, np.int64)
    for tap in range(table.taps):
        weight = weights[tap].reshape(-1, *[1] * (image.ndim - 1))
        total += image[table.begin + tap].astype(np.int64) * weight
    assert np.abs(total).max() < 2**31, "the sum must fit 32 bits"
    return np.clip(total >> table.precision, 0, 255).astype(np.uint8)


def resize_with_tables(image: np.ndarray, height: int, width: int, filter: str, flavour: str) -> np.ndarray:
    """Resizes uint8 ``[H, W, C]`` with the tables, in the reference's order of passes."""

    def rows(x: np.ndarray) -> np.ndarray:
        if height == image.shape[0]:
            return x
        return resize_axis(x, axis_table(image.shape[0], height, filter, flavour))

    def columns(x: np.ndarray) -> np.ndarray:
        if width == image.shape[1]:
            return x
        return resize_axis(x.swapaxes(0, 1), axis_table(image.shape[1], width, filter, flavour)).swapaxes(0, 1)

    if flavour == "pillow" and vertical_first(*image.shape[:2], height, width):
        return columns(rows(image))
    return rows(columns(image))


def noise(seed: int, height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if seed % 3 == 0:  # extremes overshoot, which exercises the clipping
        image = np.where(image > 127, np.uint8(255), np.uint8(0))
    return image


@given(sides, sides, sides, sides, filters, seeds)
@settings(max_examples=80, deadline=None)
def test_resize_equals_pillow(h: int, w: int, out_h: int, out_w: int, filter: str, seed: int) -> None:
    image = noise(seed, h, w)
    expected = np.asarray(Image.fromarray(image).resize((out_w, out_h), PIL_FILTERS[filter]))
    np.testing.assert_array_equal(resize_with_tables(image, out_h, out_w, filter, "pillow"), expected)


@needs_torchvision
@given(sides, sides, sides, sides, filters, seeds)
@settings(max_examples=80, deadline=None)
def test_resize_equals_torchvision(h: int, w: int, out_h: int, out_w: int, filter: str, seed: int) -> None:
    if filter == "bilinear" and torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"):
        pytest.skip("torchvision resizes bilinearly through float32 on this CPU")
    assume((out_h, out_w) != (1, 1))  # torch 2.14 fails an internal assertion on planar images
    image = noise(seed, h, w)
    planar = torch.from_numpy(image).permute(2, 0, 1).contiguous()
    mode = tvf.InterpolationMode(filter)
    expected = tvf.resize(planar, [out_h, out_w], interpolation=mode, antialias=True).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(resize_with_tables(image, out_h, out_w, filter, "torchvision"), expected)


def dense(table: AxisTable, in_size: int) -> np.ndarray:
    """The table as a float64 matrix ``[out, in]`` of weights."""
    matrix = np.zeros((table.begin.size, in_size))
    for i, first in enumerate(table.begin):
        matrix[i, first : first + table.taps] = table.weights[:, i]
    return matrix / (1 << table.precision)


def round_half_away(values: np.ndarray) -> np.ndarray:
    return np.trunc(values + np.copysign(0.5, values))


@given(sides, sides, filters)
@settings(max_examples=80, deadline=None)
def test_weights_are_pillows(in_size: int, out_size: int, filter: str) -> None:
    """Pillow resizes float images with the weights before they are rounded, so impulses show them."""
    if in_size == out_size:
        return
    impulses = Image.fromarray(np.eye(in_size, dtype=np.float32))
    weights = np.asarray(impulses.resize((out_size, in_size), PIL_FILTERS[filter])).T.astype(np.float64)
    ours = dense(axis_table(in_size, out_size, filter, "pillow"), in_size)
    # The float32 picture of a weight is within 2**-25 of it, less than half a unit of 22 bits.
    assert np.abs(ours - weights).max() <= 2.0 ** -(PILLOW_PRECISION + 1) + 2.0**-25


@needs_torchvision
@given(sides, sides, filters)
@settings(max_examples=80, deadline=None)
def test_weights_are_atens(in_size: int, out_size: int, filter: str) -> None:
    """ATen resizes float64 images with the same weights before they are rounded to 16 bits."""
    if in_size == out_size:
        return
    impulses = torch.eye(in_size, dtype=torch.float64)[None, None]
    weights = interpolate(impulses, (in_size, out_size), mode=filter, align_corners=False, antialias=True)[
        0, 0
    ].T.numpy()
    table = axis_table(in_size, out_size, filter, "torchvision")
    np.testing.assert_array_equal(
        dense(table, in_size) * (1 << table.precision), round_half_away(weights * (1 << table.precision))
    )
    assert int(0.5 + weights.max() * (1 << table.precision)) < 1 << 15
    assert table.precision == 22 or int(0.5 + weights.max() * (1 << (table.precision + 1))) >= 1 << 15


@given(st.integers(1, 5000), st.integers(1, 2000), filters, st.sampled_from(["torchvision", "pillow"]))
@settings(max_examples=200, deadline=None)
def test_windows_lie_inside_the_axis(in_size: int, out_size: int, filter: str, flavour: str) -> None:
    table = axis_table(in_size, out_size, filter, flavour)
    assert table.begin.dtype == np.int32 and table.begin.shape == (out_size,)
    assert table.weights.dtype == (np.int16 if flavour == "torchvision" else np.int32)
    assert table.weights.shape == (table.taps, out_size) and table.weights.flags.c_contiguous
    assert 1 <= table.taps <= in_size
    assert table.begin.min() >= 0
    assert table.begin.max() + table.taps <= in_size
    assert (np.diff(table.begin) >= 0).all()
    assert not table.begin.flags.writeable and not table.weights.flags.writeable


def test_tables_are_shared_and_the_cache_is_bounded() -> None:
    clear_axis_tables()
    first = axis_table(1920, 1316, "bicubic", "torchvision")
    assert axis_table(1920, 1316, "bicubic", "torchvision") is first
    for out_size in range(1, 1100):
        axis_table(8, out_size, "bilinear", "pillow")
    assert axis_table(1920, 1316, "bicubic", "torchvision") is not first


def test_threads_get_equal_tables() -> None:
    clear_axis_tables()
    results: list[list[AxisTable]] = []

    def work() -> None:
        results.append([axis_table(n, 56, "bicubic", "pillow") for n in range(1, 120)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for tables in zip(*results, strict=True):
        for table in tables[1:]:
            np.testing.assert_array_equal(table.begin, tables[0].begin)
            np.testing.assert_array_equal(table.weights, tables[0].weights)


def test_vertical_pass_comes_first_for_tall_shrinks_since_pillow_13() -> None:
    since_13 = pillow_major() >= 13
    assert vertical_first(300, 100, 100, 90) is since_13
    assert vertical_first(300, 100, 280, 90) is False  # shrinks 20 rows against 10 columns: not more than twice
    assert vertical_first(301, 100, 280, 90) is since_13
    assert vertical_first(300, 100, 300, 150) is False  # rows unchanged
    assert vertical_first(100, 100, 99, 150) is since_13  # columns grow


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: axis_table(0, 5, "bicubic", "pillow"), "in_size is 0"),
        (lambda: axis_table(5, -1, "bicubic", "pillow"), "out_size is -1"),
        (
            lambda: axis_table(5, 5, "cubic", "pillow"),
            "Unknown filter 'cubic'; choose one of bilinear, bicubic, lanczos",
        ),
        (lambda: axis_table(5, 5, "bicubic", "pil"), "Unknown flavour 'pil'; choose torchvision or pillow"),
    ],
)
def test_bad_arguments_say_what_to_do(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()
