"""Qwen2.5-VL's preprocessing put together from libraries of image operations, as one would by hand.

Sizes and layout are the model's; resizing is the library's nearest function, so the bits differ. OpenCV has no bicubic
filter that is widened when it shrinks: its area mean shrinks, its cubic enlarges. numpy puts the patches in order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.vlm.preparation import CLIP_MEAN, CLIP_STD
from autosched.vlm.qwen_vl import QwenVL
from experiments.environment import package_version
from experiments.family import Family
from experiments.implementation import IMPLEMENTATIONS, Images, Implementation, Output, Run
from experiments.optional import library, opencv
from experiments.workloads import Workload

#: From an image [H, W, 3] and a size (height, width) to the resized and normalised image, float32 [h, w, 3].
Resize: TypeAlias = Callable[[npt.NDArray[np.uint8], tuple[int, int]], npt.NDArray[np.float32]]

_RULE: Final = QwenVL()
_MEAN = np.array([255 * m for m in CLIP_MEAN], np.float32)
_INVERSE = np.array([1 / (255 * s) for s in CLIP_STD], np.float32)


def _opencv(threads: int) -> Resize:
    cv2 = opencv()
    cv2.setNumThreads(threads)

    def resize(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        shrinks = size[0] * size[1] < image.shape[0] * image.shape[1]
        resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        values = cv2.subtract(resized, (*map(float, _MEAN), 0.0), dtype=cv2.CV_32F)
        return np.asarray(cv2.multiply(values, (*map(float, _INVERSE), 0.0)))

    return resize


def _kornia(threads: int) -> Resize:
    kornia = library("kornia_rs.imgproc", "kornia-rs", "kornia_rs")
    mean, std = [255 * m for m in CLIP_MEAN], [255 * s for s in CLIP_STD]

    def resize(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        resized = kornia.resize(image, size, "bicubic", antialias=True)
        return np.asarray(kornia.normalize_mean_std(resized, mean, std))

    return resize


def _patches(values: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    """Writes the patches of an image [h, w, 3] to rows, both frames."""
    p, m = _RULE.patch_size, _RULE.merge_size
    height, width, channels = values.shape
    split = values.reshape(height // (p * m), m, p, width // (p * m), m, p, channels)
    ordered = split.transpose(0, 3, 1, 4, 6, 2, 5)
    rows = out.reshape(*ordered.shape[:5], _RULE.temporal_patch_size, p, p)
    rows[...] = ordered[:, :, :, :, :, None]


def _make(library: Callable[[int], Resize], family: Family, workload: Workload, threads: int) -> Run:
    resize = library(threads)

    def run(images: Images) -> Output:
        import torch

        pixels = [np.asarray(image.convert("RGB")) for image in images]
        sizes = [_RULE.smart_resize(p.shape[0], p.shape[1], workload.min_pixels, workload.max_pixels) for p in pixels]
        out = np.empty((_RULE.rows(sizes), _RULE.row_length), np.float32)
        first = 0
        for image, size in zip(pixels, sizes, strict=True):
            last = first + _RULE.rows([size])
            _patches(resize(image, size), out[first:last])
            first = last
        grids = np.array([[1, *_RULE.grid(size)] for size in sizes], np.int64)
        return {"pixel_values": torch.from_numpy(out), "image_grid_thw": torch.from_numpy(grids)}

    return run


def _add(name: str, title: str, library: Callable[[int], Resize], package: str) -> None:
    note = partial(_version, package)
    IMPLEMENTATIONS.add(Implementation(name, title, "hf-torchvision", partial(_make, library), exact=False, note=note))


def _version(package: str) -> str:
    return f"{package} {package_version(package)}"


_add("opencv", "OpenCV and numpy", _opencv, "opencv-python-headless")
_add("kornia-rs", "kornia-rs and numpy", _kornia, "kornia_rs")
