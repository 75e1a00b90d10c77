"""Rows of PIL images that Pillow keeps in several blocks of memory, where they are.

Pillow exports images of one block only (16 MiB, unless it was told otherwise). `Image.getim` is public, but not how
what it returns is laid out: behind the size come the palette, tables of the addresses of rows, and the bytes of a pixel
and of a row, in all versions so far. Most of these are known beforehand, so another layout is seen, and the image is
then read in another way.
"""

from __future__ import annotations

import ctypes
import struct
from bisect import bisect_right
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Bands, Memory, scratch

if TYPE_CHECKING:
    import PIL.Image

#: Bytes of one RGB pixel in Pillow's own memory.
PIXEL_BYTES: Final = 4
_CAPSULE: Final = b"Pillow Imaging"
#: What is read of Pillow's structure, and where in it the size begins at the latest.
_HEAD_BYTES, _SIZE_WITHIN = 96, 32

capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype = ctypes.c_void_p
capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]


class PillowRows(Bands):
    """A loaded PIL image of mode RGB as bands, uint8 [H, W, 3], in Pillow's own memory.

    `table` has the address of every row.
    """

    def __init__(self, image: PIL.Image.Image, capsule: object, table: npt.NDArray[np.int64]) -> None:
        width, height = image.size
        self.dtype = np.dtype(np.uint8)
        self.shape = (height, width, CHANNELS)
        self.strides = (width * PIXEL_BYTES, PIXEL_BYTES, 1)
        self._owner = (image, capsule)
        last = (table[1:] - table[:-1] != self.strides[0]).nonzero()[0].tolist()  # of all blocks but one
        #: The rows that blocks begin with, those behind their last, and where blocks begin.
        self._begins = [0, *(row + 1 for row in last)]
        self._ends: list[int] = [*self._begins[1:], height]
        self._addresses = [table.item(begin) for begin in self._begins]

    def end(self, row: int) -> int:
        """The row behind the last of the block that has `row`."""
        return self._ends[self._block(row)]

    def rows(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        """Rows first..last-1."""
        address, owner = self.place(first, last)
        return view(address, (last - first, self.shape[1], PIXEL_BYTES), owner)[:, :, :CHANNELS]

    def place(self, first: int, last: int) -> tuple[int, object]:
        """The address of rows first..last-1, copied where they are in several blocks, and their owner."""
        block, stride = self._block(first), self.strides[0]
        begin, end = self._begins[block], self._ends[block]
        if last <= end:
            return self._addresses[block] + (first - begin) * stride, self._owner
        copy, address = scratch((last - first) * stride)
        row = first
        while row < last:
            begin, end = self._begins[block], min(self._ends[block], last)
            source = self._addresses[block] + (row - begin) * stride
            ctypes.memmove(address + (row - first) * stride, source, (end - row) * stride)
            row, block = end, block + 1
        return address, copy

    def _block(self, row: int) -> int:
        return bisect_right(self._begins, row) - 1


def view(address: int, shape: tuple[int, int, int], owner: object) -> npt.NDArray[np.uint8]:
    """Bytes at an address, C-contiguous and read-only, which keep their owner alive."""
    return Memory(address, shape, (shape[1] * shape[2], shape[2], 1), np.dtype(np.uint8), owner).whole()


def pillow_rows(image: PIL.Image.Image) -> PillowRows | None:
    """The rows of a loaded image of mode RGB, or None where Pillow's memory is not laid out as it is known to be."""
    capsule = getattr(image, "getim", lambda: None)()
    width, height = image.size
    if capsule is None or struct.calcsize("P") != 8:
        return None
    try:
        address = capsule_pointer(capsule, _CAPSULE)
    except ValueError:  # a capsule of another name
        return None
    table = _row_table(ctypes.string_at(address, _HEAD_BYTES), width, height)
    if table is None:
        return None
    return PillowRows(image, capsule, np.frombuffer(ctypes.string_at(table, 8 * height), np.int64))


def _row_table(head: bytes, width: int, height: int) -> int | None:
    """The address of the table of rows in the beginning of Pillow's structure of an RGB image."""
    place = head.find(struct.pack("=ii", width, height), 0, _SIZE_WITHIN + 8)
    if place < 0 or place % 4:
        return None
    pointers = place + 8 + (-place) % 8
    # palette, rows of bytes, rows of 32 bits, rows, the block of an image in one block, blocks
    palette, bytes_, words, rows, _, _ = struct.unpack_from("=6Q", head, pointers)
    pixel, line = struct.unpack_from("=ii", head, pointers + 48)
    if palette or bytes_ or not rows or words != rows or (pixel, line) != (PIXEL_BYTES, PIXEL_BYTES * width):
        return None
    return int(rows)
