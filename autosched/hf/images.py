"""Reads pixels out of images with as few copies as possible."""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.hf.arguments import NotCoveredError
from autosched.hf.pillow_rows import PIXEL_BYTES, capsule_pointer, pillow_rows, view
from autosched.runtime import Bands, empty

if TYPE_CHECKING:
    import PIL.Image

CHANNELS: Final = 3
"""Channels that are read; a view may have more (Pillow stores a fourth, unused byte)."""

_STRIP_BYTES: Final = 1 << 21


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
        return _pil_pixels(image)
    array = image.numpy() if is_tensor(image) else image
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 3:
        raise ArgumentError(f"Cannot read pixels from {describe(image)}; give an RGB image of uint8.")
    if array.shape[0] == CHANNELS:
        return array.transpose(1, 2, 0)
    if array.shape[2] == CHANNELS:
        return array
    raise ArgumentError(f"Cannot read pixels from {describe(image)}; an axis at either end must have 3 channels.")


def is_pil(image: object) -> TypeGuard[PIL.Image.Image]:
    """Whether this is a PIL image, without importing Pillow."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def is_tensor(image: object) -> bool:
    """Whether this is a torch tensor, without importing torch."""
    module = sys.modules.get("torch")
    return module is not None and isinstance(image, module.Tensor)


def is_plain(image: Any) -> bool:
    """Whether every reference reads this image as it is: RGB, uint8, on the CPU, channels at an unambiguous end.

    Subclasses of tensors and arrays are not plain (they may change what operations mean), nor are arrays with negative
    strides (torch refuses them).
    """
    if is_pil(image):
        return image.mode == "RGB" and 0 not in image.size and image.info.get("transparency") is None
    if is_tensor(image):
        import torch

        if (
            type(image) is not torch.Tensor
            or image.dtype != torch.uint8
            or image.device.type != "cpu"
            or image.layout != torch.strided
        ):
            return False
    elif not (type(image) in (np.ndarray, np.memmap) and image.dtype == np.uint8) or any(
        stride < 0 for stride in image.strides
    ):
        return False
    shape = tuple(image.shape)
    if len(shape) != 3 or 0 in shape:
        return False
    ends = (shape[0], shape[2])
    return CHANNELS in ends and sum(end in (1, 3, 4) for end in ends) == 1


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
        import torch

        if type(image) is not torch.Tensor or image.device.type != "cpu" or image.dtype != torch.uint8:
            raise NotCoveredError(f"{describe(image)} on {image.device} is not a plain tensor of bytes on the CPU")
    elif not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        raise NotCoveredError(f"{describe(image)} does not hold bytes")


def _pil_pixels(image: PIL.Image.Image) -> npt.NDArray[np.uint8]:
    image.load()
    pixels = _pillow_memory(image)
    if pixels is None and 0 not in image.size:
        pixels = _copied_in_strips(image)
    if pixels is None:
        # A view of the bytes that Pillow packs; np.array would copy them once more.
        pixels = np.asarray(image)
    return pixels


def as_pixels(image: Any) -> npt.NDArray[np.uint8] | Bands:
    """`as_hwc`, but without a copy of an image that Pillow keeps in several blocks: its rows in bands."""
    if is_pil(image) and image.mode == "RGB" and 0 not in image.size:
        image.load()
        whole = _pillow_memory(image)
        if whole is not None:
            return whole
        rows = pillow_rows(image)
        if rows is not None:
            return rows
    return as_hwc(image)


def _copied_in_strips(image: PIL.Image.Image) -> npt.NDArray[np.uint8] | None:
    """A copy ``[H, W, 4]`` of an image of several blocks, through crops that are one block; None where those are not.

    Takes two thirds of the time of `np.asarray`: Pillow reuses the memory of the crops, and numpy's has huge pages.
    """
    width, height = image.size
    pixels = empty((height, width, PIXEL_BYTES), np.uint8)
    rows = max(1, _STRIP_BYTES // (width * PIXEL_BYTES))
    for first in range(0, height, rows):
        last = min(first + rows, height)
        strip = _pillow_memory(image.crop((0, first, width, last)))
        if strip is None:
            return None
        pixels[first:last] = strip
    pixels.flags.writeable = False
    return pixels


def _pillow_memory(image: PIL.Image.Image) -> npt.NDArray[np.uint8] | None:
    """Pillow's memory of a loaded RGB image as ``[H, W, 4]``, or None where it is not one block or cannot be had."""
    export = getattr(image, "__arrow_c_array__", None)
    if export is None or 0 in image.size:
        return None
    try:
        _, capsule = export()
    except ValueError:  # several blocks
        return None
    width, height = image.size
    address = _arrow_pixels(capsule, width * height)
    if address is None:
        return None
    shape = (height, width, PIXEL_BYTES)
    return view(address, shape, capsule)


#: The beginning of the array structure of the Arrow C data interface
#: (arrow.apache.org/docs/format/CDataInterface.html): length, null count, offset, numbers of buffers and of children,
#: and the addresses of those of both.
_ARROW: Final = struct.Struct("@5q2P")
_POINTER: Final = struct.Struct("@P")


def _arrow_pixels(capsule: object, pixels: int) -> int | None:
    """Address of the bytes of an Arrow array of 4-byte pixels, or None if it is something else."""
    length, _, offset, _, parts, _, children = _read(_ARROW, capsule_pointer(capsule, b"arrow_array"))
    if length != pixels or offset != 0 or parts != 1:
        return None
    (child,) = _read(_POINTER, children)
    length, _, offset, count, _, buffers, _ = _read(_ARROW, child)
    if length != pixels * PIXEL_BYTES or offset != 0 or count != 2:
        return None
    (address,) = _read(_POINTER, buffers + _POINTER.size)  # behind the one that says which are null
    return int(address) or None


def _read(layout: struct.Struct, address: int) -> tuple[Any, ...]:
    return layout.unpack(ctypes.string_at(address, layout.size))
