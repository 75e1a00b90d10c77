"""Pixels of PIL images in Pillow's own memory, without a copy where that can be had."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import PIL.Image

from autosched.errors import ArgumentError
from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Memory, empty
from autosched.vlm.passes import Source
from autosched.vlm.pillow_rows import PIXEL_BYTES, capsule_pointer, pillow_rows, view

_STRIP_BYTES: Final = 1 << 21
_BYTE: Final = np.dtype(np.uint8)


def pillow_pixels(image: PIL.Image.Image) -> Source:
    """The pixels of an image of mode RGB, uint8 ``[H, W, C]`` with C >= 3, to be read only; it has some.

    They are Pillow's own memory, an image of several blocks in bands. A lazily opened file is decoded here, and errors
    of the decoder pass through.
    """
    if type(image) is not PIL.Image.Image:  # others may read a file here
        image.load()
    width, height = image.size
    found = _one_block(image.im, width * height)
    if found is not None:
        address, owner = found
        strides = (width * PIXEL_BYTES, PIXEL_BYTES, 1)
        return Memory(address, (height, width, CHANNELS), strides, _BYTE, owner)
    rows = pillow_rows(image)
    return pillow_whole(image) if rows is None else rows


@lru_cache(maxsize=64)
def is_pillows(kind: type) -> bool:
    """Whether a type of images is Pillow's own; those of others may mean something else by what its memory has."""
    return issubclass(kind, PIL.Image.Image) and kind.__module__.partition(".")[0] == "PIL"


def given_pixels(image: Any) -> Source:
    """The pixels of an image of Pillow, as RGB, or of an array, uint8 ``[H, W, 3]``; see `pillow_pixels`.

    Raises ArgumentError for anything else.
    """
    if isinstance(image, np.ndarray):
        if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == CHANNELS and 0 not in image.shape:
            return image
        planes = image.ndim == 3 and image.shape[0] == CHANNELS != image.shape[2]
        hint = ": image.transpose(1, 2, 0) puts its channels last" if planes else ""
        raise ArgumentError(f"an image is an array of {image.dtype} {list(image.shape)}; give uint8 [H, W, 3]{hint}")
    if not (hasattr(image, "convert") and hasattr(image, "mode")):
        raise ArgumentError(f"an image is a {type(image).__name__}; give images of Pillow, or arrays uint8 [H, W, 3]")
    if 0 in image.size:
        raise ArgumentError(f"an image has {image.width}x{image.height} pixels; give one with pixels")
    kind: type = type(image)
    return pillow_pixels(image if is_pillows(kind) and image.mode == "RGB" else image.convert("RGB"))


def pillow_whole(image: PIL.Image.Image) -> npt.NDArray[np.uint8]:
    """The same as one array: a copy where the image is in several blocks. It may have no pixels."""
    image.load()
    pixels = _viewed(image)
    if pixels is None and 0 not in image.size:
        pixels = _copied_in_strips(image)
    if pixels is None:
        # A view of the bytes that Pillow packs; np.array would copy them once more.
        pixels = np.asarray(image)
    return pixels


def _copied_in_strips(image: PIL.Image.Image) -> npt.NDArray[np.uint8] | None:
    """A copy ``[H, W, 4]`` of an image of several blocks, through crops that are one block; None where those are not.

    Takes two thirds of the time of `np.asarray`: Pillow reuses the memory of the crops, and numpy's has huge pages.
    """
    width, height = image.size
    pixels = empty((height, width, PIXEL_BYTES), np.uint8)
    rows = max(1, _STRIP_BYTES // (width * PIXEL_BYTES))
    for first in range(0, height, rows):
        last = min(first + rows, height)
        strip = _viewed(image.crop((0, first, width, last)))
        if strip is None:
            return None
        pixels[first:last] = strip
    pixels.flags.writeable = False
    return pixels


def _viewed(image: PIL.Image.Image) -> npt.NDArray[np.uint8] | None:
    """Pillow's memory of a loaded RGB image as ``[H, W, 4]``, or None where it is not one block or cannot be had."""
    found = _one_block(image.im, image.width * image.height)
    return None if found is None else view(found[0], (image.height, image.width, PIXEL_BYTES), found[1])


def _one_block(core: Any, pixels: int) -> tuple[int, object] | None:
    """The address of the pixels of a loaded RGB image, 4 bytes each, and their owner; None as in `_viewed`."""
    # `Image.__arrow_c_array__` loads the image once more, and describes what is known.
    export = getattr(core, "__arrow_c_array__", None)
    if export is None or pixels == 0:
        return None
    try:
        capsule = export()
        address = _arrow_pixels(capsule_pointer(capsule, b"arrow_array"), pixels)
    except ValueError:  # several blocks; a capsule of another name
        return None
    return None if address is None else (address, capsule)


class _ArrowArray(ctypes.Structure):
    """The beginning of the array structure of the Arrow C data interface.

    See arrow.apache.org/docs/format/CDataInterface.html.
    """

    _fields_ = (
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.POINTER(ctypes.c_void_p)),
    )


def _arrow_pixels(address: int, pixels: int) -> int | None:
    """Address of the bytes of an Arrow array of 4-byte pixels, or None if it is something else."""
    array = _ArrowArray.from_address(address)
    if array.length != pixels or array.offset != 0 or array.n_children != 1:
        return None
    child = _ArrowArray.from_address(array.children[0])
    if child.length != pixels * PIXEL_BYTES or child.offset != 0 or child.n_buffers != 2:
        return None
    return child.buffers[1] or None  # behind the one that says which are null
