"""Workloads are what their names say, and the same in every process."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.photographs import SIZES, photographs
from experiments.workloads import WORKLOADS, mixed_sizes


def test_mixed_sizes() -> None:
    sizes = mixed_sizes(200, 256, 1046, largest_aspect=2.0, seed=3)
    assert sizes == mixed_sizes(200, 256, 1046, largest_aspect=2.0, seed=3)
    assert sizes != mixed_sizes(200, 256, 1046, largest_aspect=2.0, seed=4)
    assert all(256 <= side <= 1046 for size in sizes for side in size)
    assert all(max(size) <= 2 * min(size) for size in sizes)


def test_the_standard_workloads() -> None:
    counts = {name: len(workload.sizes) for name, workload in WORKLOADS.items()}
    assert (counts["w1"], counts["w2"], counts["w3"], counts["w4"]) == (1, 32, 32, 8)


def test_scaling_down_keeps_the_ratios() -> None:
    small = WORKLOADS["3840x2160-max1003520"].scaled_down(4)
    assert small.sizes == ((960, 540),) and small.max_pixels == 1003520 // 16


def test_images_are_photographs_of_the_sizes() -> None:
    pytest.importorskip("skimage.data")
    pytest.importorskip("sklearn.datasets")
    images, again = WORKLOADS["tiny"].images(), WORKLOADS["tiny"].images()
    assert [image.size for image in images] == [(60, 90), (60, 90)]
    assert all(image.mode == "RGB" and np.asarray(image).std() > 10 for image in images)
    assert all(np.array_equal(a, b) for a, b in zip(images, again, strict=True))
    assert not np.array_equal(images[0], images[1])


def test_photographs_have_the_sizes_that_are_written_down() -> None:
    pytest.importorskip("skimage.data")
    pytest.importorskip("sklearn.datasets")
    assert tuple(image.size for image in photographs()) == SIZES
