"""Reading pixels: the right bytes, without copies where that is possible, and never to be written."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autosched.errors import ArgumentError
from autosched.hf.images import as_hwc, describe, is_plain, photographs
from autosched.runtime import Bands
from autosched.vlm.pillow import given_pixels

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="torch is not installed")
needs_arrow = pytest.mark.skipif(
    not hasattr(Image.Image, "__arrow_c_array__"), reason="this Pillow does not share its memory"
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (5, 0), (1, 7), (9, 1), (50, 61), (480, 640), (2200, 2200)])
def test_pil_pixels(size: tuple[int, int]) -> None:
    array = noise(*size, 3)
    view = as_hwc(Image.fromarray(array))
    assert view.dtype == np.uint8
    assert not view.flags.writeable
    np.testing.assert_array_equal(view[..., :3], array)


@needs_arrow
def test_pil_images_of_one_block_are_not_copied() -> None:
    image = Image.fromarray(noise(50, 61, 3))
    view = as_hwc(image)
    assert view.shape == (50, 61, 4)
    image.putpixel((3, 2), (1, 2, 3))
    assert view[2, 3, :3].tolist() == [1, 2, 3]


@needs_arrow
def test_pil_images_of_several_blocks_are_copied() -> None:
    array = noise(1500, 3001, 3)
    image = Image.fromarray(array)
    view = as_hwc(image)
    assert view.shape == (1500, 3001, 4)
    image.putpixel((0, 0), (1, 2, 3))
    np.testing.assert_array_equal(view[..., :3], array)


def test_pil_pixels_without_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autosched.vlm.pillow._one_block", lambda core, pixels: None)
    array = noise(50, 61, 3)
    np.testing.assert_array_equal(as_hwc(Image.fromarray(array)), array)


@needs_arrow
def test_pil_memory_outlives_its_image() -> None:
    array = noise(300, 300, 3)
    views = []
    for _ in range(8):
        image = Image.fromarray(array)
        views.append(as_hwc(image)[::2, :, :3])
        image.close()
        del image
    gc.collect()
    rubbish = [Image.new("RGB", (300, 300), (7, 7, 7)) for _ in range(16)]
    assert all((view == array[::2]).all() for view in views)
    assert len(rubbish) == 16


@needs_arrow
def test_pil_memory_is_freed() -> None:
    psutil = pytest.importorskip("psutil")
    process = psutil.Process()
    for _ in range(3):
        as_hwc(Image.new("RGB", (1000, 1000)))
    before = process.memory_info().rss
    for _ in range(100):
        as_hwc(Image.new("RGB", (1000, 1000)))
    assert process.memory_info().rss - before < 100e6  # 100 images have 400 MB


@pytest.mark.parametrize("kind", ["HWC", "CHW", "sliced", "read-only"])
def test_arrays_are_viewed(kind: str) -> None:
    base = noise(40, 50, 3)
    array = {
        "HWC": base,
        "CHW": base.transpose(2, 0, 1),
        "sliced": base[::2, 1:],
        "read-only": np.frombuffer(base.tobytes(), np.uint8).reshape(base.shape),
    }[kind]
    view = as_hwc(array)
    assert np.shares_memory(view, array)
    expected = base if kind != "sliced" else base[::2, 1:]
    np.testing.assert_array_equal(view, expected)


@needs_torch
@pytest.mark.parametrize("planar", [True, False])
def test_tensors_are_viewed(planar: bool) -> None:
    array = noise(40, 50, 3)
    tensor = torch.from_numpy(array)
    if planar:
        tensor = tensor.permute(2, 0, 1).contiguous()
    view = as_hwc(tensor)
    assert view.__array_interface__["data"][0] == tensor.data_ptr()
    np.testing.assert_array_equal(view, array)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("L", (3, 4)), "has mode L; convert it to RGB first"),
        (noise(5, 6), r"numpy.ndarray of uint8 \[5, 6\]; give an RGB image of uint8"),
        (noise(5, 6, 3).astype(np.float32), r"float32 \[5, 6, 3\]; give an RGB image of uint8"),
        (noise(5, 6, 4), "an axis at either end must have 3 channels"),
        ("image.png", "a value of type str; give an RGB image"),
    ],
)
def test_other_images_are_refused(image: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        as_hwc(image)


def test_plain_images() -> None:
    rgb = Image.fromarray(noise(5, 6, 3))
    transparent = Image.fromarray(noise(5, 6, 3))
    transparent.info["transparency"] = (1, 2, 3)
    plain = {"rgb": rgb, "HWC": noise(5, 6, 3), "CHW": noise(3, 5, 6)}
    other = {
        "transparent": transparent,
        "no columns": Image.new("RGB", (0, 5)),
        "L": rgb.convert("L"),
        "one channel": noise(5, 6, 1),
        "four channels": noise(5, 6, 4),
        "ambiguous": noise(3, 6, 3),
        "one row": noise(1, 6, 3),
        "four columns": noise(3, 6, 4),
        "2-d": noise(5, 6),
        "empty": noise(5, 6, 3)[:0],
        "backwards": noise(5, 6, 3)[::-1],
        "float": noise(5, 6, 3).astype(np.float32),
        "masked": np.ma.masked_array(noise(5, 6, 3)),
        "text": "image.png",
        "none": None,
    }
    assert [name for name, image in plain.items() if not is_plain(image)] == []
    assert [name for name, image in other.items() if is_plain(image)] == []


@needs_torch
def test_plain_tensors() -> None:
    tensor = torch.from_numpy(noise(5, 6, 3))
    assert is_plain(tensor)
    assert not is_plain(tensor.to("meta"))
    assert not is_plain(tensor.float())
    assert not is_plain(tensor.to_sparse())
    assert not is_plain(torch._neg_view(tensor))
    assert describe(tensor) == "torch.Tensor of torch.uint8 [5, 6, 3]"


class Inverted(Image.Image):
    """An image that is converted to something else than it has in its memory."""

    def __init__(self, image: Image.Image) -> None:
        super().__init__()
        vars(self).update(vars(image))

    def convert(self, *args: Any, **kwargs: Any) -> Image.Image:
        return Image.eval(super().convert(*args, **kwargs), lambda value: 255 - value)


def test_types_of_images_that_are_not_pillows(tmp_path: Path) -> None:
    image = Image.fromarray(noise(5, 6, 3))
    other = Inverted(image)
    assert not is_plain(other) and photographs(other) is None and photographs([image, other]) is None
    pixels = given_pixels(other)
    assert np.array_equal(pixels.rows(0, 5) if isinstance(pixels, Bands) else pixels[..., :3], 255 - noise(5, 6, 3))
    image.save(tmp_path / "image.png")
    opened = Image.open(tmp_path / "image.png")
    assert type(opened) is not Image.Image and photographs(opened) == [opened]


def test_photographs_are_what_transformers_makes_of_them() -> None:
    image_utils = pytest.importorskip("transformers.image_utils")
    image, empty, transparent = Image.new("RGB", (5, 4)), Image.new("RGB", (0, 4)), Image.new("RGB", (5, 4))
    transparent.info["transparency"] = (0, 0, 0)
    for images in (image, [image], [image, Image.new("RGB", (3, 2))]):
        assert photographs(images) == image_utils.make_flat_list_of_images(images)
    others: list[Any] = [
        [],
        (image,),
        [[image]],
        [image, noise(4, 5, 3)],
        Image.new("L", (5, 4)),
        empty,
        [image, empty],
        transparent,
    ]
    assert all(photographs(images) is None for images in [*others, noise(4, 5, 3), "image.png", None])
