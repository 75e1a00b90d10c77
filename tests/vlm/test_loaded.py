"""Kernels that are loaded by name give what Hugging Face's processors give: an array an image, whatever the sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from autosched.errors import ArgumentError
from autosched.vlm import registry
from autosched.vlm.load import load
from autosched.vlm.photographs import photographs

#: Widths and heights in several buckets; some are tall, some of Pillow's several blocks, some upscaled.
SIZES = [(640, 480), (90, 400), (2300, 2000), (200, 120)]


def pictures() -> list[Image.Image]:
    found = photographs()
    return [found[i % len(found)].resize(size) for i, size in enumerate(SIZES)]


def theirs(name: str, images: list[Image.Image]) -> list[npt.NDArray[Any]]:
    """What Hugging Face's processor of the same backend makes of each image alone."""
    family = registry.get(name)
    backend = "pil" if name.endswith("-pil") else "torchvision"
    processor = family.processors[backend](family.settings)
    made = []
    for image in images:
        found = processor(image, return_tensors="np" if backend == "pil" else "pt")
        values = np.asarray(found["pixel_values"])
        if "pixel_attention_mask" in found:  # patches of one image, and padding
            values = values[0][np.asarray(found["pixel_attention_mask"])[0].astype(bool)]
        made.append(values)
    return made


@pytest.mark.parametrize("backend", ["", "-pil"])
@pytest.mark.parametrize("model", ["qwen2.5-vl", "qwen3-vl", "siglip", "llava-1.5", "siglip2", "internvl3"])
def test_images_of_any_sizes(model: str, backend: str) -> None:
    name, images = model + backend, pictures()
    ours = load(name, threads=2)(images)
    expected = theirs(name, images)
    assert len(ours) == len(images)
    for mine, wanted in zip(ours, expected, strict=True):
        assert np.array_equal(mine, wanted.reshape(mine.shape)) and mine.size == wanted.size


def test_arrays_and_other_modes() -> None:
    image = pictures()[0]
    kernel = load("qwen2.5-vl", threads=1)
    (expected,) = kernel([image])
    assert expected.shape == (34 * 46, 1176)  # 476 x 644 pixels
    for same in (np.asarray(image), image.convert("RGBA"), image.convert("RGBX")):
        assert np.array_equal(kernel([same])[0], expected)
    assert kernel([image], max_pixels=4 * 28 * 28)[0].shape == (8, 1176)


def test_videos() -> None:
    frames = [picture.resize((320, 200)) for picture in pictures()[:3]]
    kernel = load("qwen2.5-vl-video", threads=1)
    (video,) = kernel(frames)
    images = load("qwen2.5-vl", threads=1)([frames[2]], **registry.get("qwen2.5-vl-video").settings)[0]
    assert video.shape == (2 * images.shape[0], 1176)
    assert np.array_equal(video[images.shape[0] :], images)  # the last frame, which is repeated
    assert [v.shape[0] for v in kernel([frames, frames[:1]])] == [len(video), len(video) // 2]
    with pytest.raises(ArgumentError, match="frames of a video must have one size"):
        kernel([frames[0], frames[1].resize((50, 60))])


def test_what_is_refused() -> None:
    kernel, image = load("siglip", threads=1), pictures()[0]
    with pytest.raises(ArgumentError, match=r"images must be a list of images, not a Image; give \[image\]$"):
        kernel(image)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"not a ndarray; give \[image\]$"):
        kernel(np.asarray(image))  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"not a ndarray; give list\(images\)$"):
        kernel(np.asarray(image)[None])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"not a str$"):
        kernel("photo.jpg")
    with pytest.raises(ArgumentError, match="images must be a list of images, not an empty one"):
        kernel([])
    with pytest.raises(ArgumentError, match=r"array of float64 \[4, 4, 3\]; give uint8 \[H, W, 3\]"):
        kernel([np.zeros((4, 4, 3))])
    for shape in ((50, 60, 4), (50, 60, 60), (50, 60), (50, 0, 3)):
        with pytest.raises(ArgumentError, match=r"an array of uint8 \[50.*\]; give uint8 \[H, W, 3\]$"):
            kernel([np.zeros(shape, np.uint8)])
    with pytest.raises(ArgumentError, match=r"\[3, 48, 64\]; give uint8 \[H, W, 3\]: image.transpose\(1, 2, 0\) puts"):
        kernel([np.zeros((3, 48, 64), np.uint8)])
    with pytest.raises(ArgumentError, match="an image is a str; give images of Pillow"):
        kernel(["photo.jpg"])
    with pytest.raises(ArgumentError, match="siglip has no setting max_pixels; it has none"):
        kernel([image], max_pixels=1)
    with pytest.raises(ArgumentError, match="no setting dtype, max_pixel; it has min_pixels, max_pixels; give dtype"):
        load("qwen2.5-vl")([image], dtype="bfloat16", max_pixel=3000)


@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen2.5-vl-video", "glm-4v"])
def test_an_image_that_the_model_does_not_take(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"^absolute aspect ratio must be smaller than 200, got 900.0$"):
        load(name, threads=1)([Image.new("RGB", (900, 1))])


@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen2.5-vl-video"])
def test_limits_that_no_number_of_pixels_can_be(name: str) -> None:
    kernel, image = load(name, threads=1), pictures()[0]
    for value in (-1, 0, "x", 1e6, True, None):
        with pytest.raises(ArgumentError, match=rf"max_pixels is {value!r}; it must be a whole number, at least 1"):
            kernel([image], max_pixels=value)
    with pytest.raises(ArgumentError, match="min_pixels is -1; it must be a whole number, at least 0"):
        kernel([image], min_pixels=-1)
    assert kernel([image], max_pixels=np.int64(3136), min_pixels=0)


def test_a_loaded_kernel_is_shown_in_a_line() -> None:
    kernel = load("qwen2.5-vl", bucket="reduced", threads=2)
    assert repr(kernel) == f"<Tuned qwen2.5-vl, reduced, 2 threads: {kernel.answer.rung}>"
