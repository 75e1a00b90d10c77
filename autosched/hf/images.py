"""Reads pixels out of images with as few copies as possible."""

from __future__ import annotations

import sys
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import PIL.Image

from autosched.errors import ArgumentError
from autosched.hf.arguments import NotCoveredError
from autosched.imaging.byte_table import CHANNELS
from autosched.vlm.passes import Source
from autosched.vlm.pillow import is_pillows, pillow_pixels, pillow_whole


def as_hwc(image: Any) -> npt.NDArray[np.uint8]:
    """Returns the pixels of an RGB image as a uint8 view ``[H, W, C]`` with C >= 3, of any strides, to be read only.

    - PIL, mode RGB: Pillow's own memory (C = 4) where the image is one block, otherwise a copy. A lazily opened file is
      decoded here, and errors of the decoder pass through.
    - numpy uint8 ``[H, W, 3]`` or ``[3, H, W]``: a view.
    - torch uint8 ``[H, W, 3]`` or ``[3, H, W]`` on the CPU: a view.

    The view keeps the memory alive. An array with 3 at both ends is read as ``[3, H, W]``, as transformers does.

    Raises:
        ArgumentError: anything else; `is_plain` tells beforehand.
    """
    if is_pil(image):
        if image.mode != "RGB":
            raise ArgumentError(f"The PIL image has mode {image.mode}; convert it to RGB first.")
        return pillow_whole(image)
    array = image.numpy() if is_tensor(image) else image
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3:
        raise ArgumentError(f"Cannot read pixels from {describe(image)}; give an RGB image of uint8.")
    if array.shape[0] == CHANNELS:
        return array.transpose(1, 2, 0)
    if array.shape[2] == CHANNELS:
        return array
    raise ArgumentError(f"Cannot read pixels from {describe(image)}; an axis at either end must have 3 channels.")


def is_pil(image: object) -> TypeGuard[PIL.Image.Image]:
    """Whether this is a PIL image."""
    return isinstance(image, PIL.Image.Image)


def photographs(images: Any) -> list[PIL.Image.Image] | None:
    """A PIL image that `is_plain`, or a list of them, as transformers flattens it; None for anything else."""
    found = images if type(images) is list else [images]
    for image in found:  # in every call: few steps of Python
        if not is_photograph(image):
            return None
    return found or None


def is_tensor(image: object) -> bool:
    """Whether this is a torch tensor, without importing torch."""
    module = sys.modules.get("torch")
    return module is not None and isinstance(image, module.Tensor)


def is_byte_tensor(tensor: Any) -> bool:
    """Whether this is a dense tensor of bytes on the CPU, of no subclass, which are what its memory has."""
    import torch

    plain = type(tensor) is torch.Tensor and tensor.dtype == torch.uint8 and tensor.device.type == "cpu"
    return plain and tensor.layout == torch.strided and not tensor.is_nested and not tensor.is_neg()


def is_plain(image: Any) -> bool:
    """Whether every reference reads this image as it is: RGB, uint8, on the CPU, channels at an unambiguous end.

    Subclasses of images, tensors and arrays are not plain (they may change what operations mean), nor are arrays with
    negative strides (torch refuses them).
    """
    if is_pil(image):
        return is_photograph(image)
    if is_tensor(image):
        if not is_byte_tensor(image):
            return False
    elif not (type(image) in (np.ndarray, np.memmap) and image.dtype == np.uint8) or any(
        stride < 0 for stride in image.strides
    ):
        return False
    shape = tuple(image.shape)
    if len(shape) != 3 or 0 in shape:
        return False
    return CHANNELS in (shape[0], shape[2]) and not _is_ambiguous(shape)


def _is_ambiguous(shape: tuple[int, ...]) -> bool:
    """Whether the channels of an array may be first or last."""
    return len(shape) == 3 and all(end in (1, 3, 4) for end in (shape[0], shape[2]))


def is_photograph(image: Any) -> bool:
    """Whether this is a PIL image that `is_plain`."""
    kind: type = type(image)
    return is_pillows(kind) and image.mode == "RGB" and 0 not in image.size and image.info.get("transparency") is None


def describe(image: Any) -> str:
    """A short name of an image for messages."""
    if is_pil(image):
        return f"a PIL image of mode {image.mode}"
    shape = getattr(image, "shape", None)
    if shape is None:
        return f"a value of type {type(image).__name__}"
    return f"{type(image).__module__}.{type(image).__name__} of {image.dtype} {list(shape)}"


def require_bytes(image: Any, do_convert_rgb: bool) -> None:
    """Refuses, before any conversion, images that cannot become three channels of bytes on the CPU."""
    if is_pil(image):
        if image.mode != "RGB" and not do_convert_rgb:
            raise NotCoveredError(f"{describe(image)} stays as it is without do_convert_rgb")
        if 0 in image.size:
            raise NotCoveredError("an image has no pixels")
        return
    if is_tensor(image):
        if not is_byte_tensor(image):
            raise NotCoveredError(f"{describe(image)} on {image.device} is not a plain tensor of bytes on the CPU")
    elif not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise NotCoveredError(f"{describe(image)} does not hold bytes")
    if _is_ambiguous(tuple(image.shape)):  # transformers warns when it converts it, which is once
        raise NotCoveredError(f"{describe(image)} may have its channels first or last")


def as_pixels(image: Any) -> Source:
    """`as_hwc`, but without a copy of an image that Pillow keeps in several blocks: its rows in bands."""
    if is_pil(image) and image.mode == "RGB" and 0 not in image.size:
        return pillow_pixels(image)
    return as_hwc(image)
