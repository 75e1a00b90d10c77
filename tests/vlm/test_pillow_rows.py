"""Images that Pillow keeps in several blocks: their rows, where they are, and kernels that run on them."""

from __future__ import annotations

import gc
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from autosched.hf.images import as_hwc, as_pixels
from autosched.vlm import pillow_rows as module
from autosched.vlm.pillow_rows import PillowRows, pillow_rows
from autosched.vlm.preparation import Preparation
from autosched.vlm.qwen_vl import QwenVL

pytestmark = pytest.mark.usefixtures("small_blocks")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(st.integers(1, 120), st.integers(1, 1100), st.data())
@settings(max_examples=40, deadline=None)
def test_any_rows(height: int, width: int, data: st.DataObject) -> None:
    array = noise(height, width)
    rows = pillow_rows(Image.fromarray(array))
    assert rows is not None and rows.shape == array.shape
    first = data.draw(st.integers(0, height - 1))
    last = data.draw(st.integers(first + 1, height))
    part = rows.rows(first, last)
    assert part.strides == rows.strides
    np.testing.assert_array_equal(part, array[first:last])
    assert first < rows.end(first) <= height


def test_blocks_are_not_copied_and_outlive_their_image() -> None:
    array = noise(40, 300)
    image = Image.fromarray(array)
    rows = as_pixels(image)
    assert isinstance(rows, PillowRows) and rows.end(0) < 40
    image.putpixel((5, 0), (1, 2, 3))
    part = rows.rows(0, rows.end(0))
    assert part[0, 5].tolist() == [1, 2, 3]
    image.close()
    del image, rows
    gc.collect()
    rubbish = [Image.new("RGB", (300, 40), (7, 7, 7)) for _ in range(32)]
    np.testing.assert_array_equal(part[1:], array[1 : len(part)])
    assert len(rubbish) == 32


@pytest.mark.parametrize(
    "spoil",
    [
        lambda head, at: head[: at - 1] + b"\1" + head[at:],  # the size is not where it was
        lambda head, at: head[: at + 8] + struct.pack("=Q", 9) + head[at + 16 :],  # a palette
        lambda head, at: head[: at + 24] + struct.pack("=Q", 9) + head[at + 32 :],  # other rows of words
        lambda head, at: head[: at + 56] + struct.pack("=i", 3) + head[at + 60 :],  # bytes of a pixel
    ],
)
def test_another_layout_is_seen(spoil: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    array = noise(40, 300)
    image = Image.fromarray(array)
    read = module.ctypes.string_at

    def spoiled(address: int, count: int) -> bytes:
        head = read(address, count)
        at = head.find(struct.pack("=ii", 300, 40))
        return spoil(head, at) if at >= 0 else head

    monkeypatch.setattr(module.ctypes, "string_at", spoiled)
    found = pillow_rows(image)
    if found is not None:  # the size was moved by no whole word, and is still found
        np.testing.assert_array_equal(found.whole(), array)
    else:
        np.testing.assert_array_equal(as_pixels(image)[..., :3], array)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("reference", ["torchvision", "pil"])
def test_kernels_on_blocks(reference: Any, threads: int) -> None:
    """Down and up, with blocks of a few rows, of less than a row's source, and of one row."""
    kernel = QwenVL(Preparation(reference))
    shapes = [(90, 120), (300, 90), (64, 500), (33, 1030)]
    images = [Image.fromarray(noise(*shape, seed=i)) for i, shape in enumerate(shapes)]
    sizes = [kernel.smart_resize(*shape, 3136, 60000) for shape in shapes]
    assert all(isinstance(as_pixels(image), PillowRows) for image in images)
    made = []
    for read in (as_pixels, as_hwc):
        out = np.full((kernel.rows(sizes), kernel.row_length), np.nan, np.float32)
        kernel.run([read(image) for image in images], sizes, out, threads)
        made.append(out)
    np.testing.assert_array_equal(*made)
