"""Images in the middle of squares of a colour, without a copy of either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Bands, empty
from autosched.vlm.passes import Source

#: Bytes of rows that are put together at once: few enough to stay in a second-level cache until they are read.
_BAND: Final = 1 << 18


def squared(image: Source, colour: tuple[int, ...]) -> Source:
    """An image [H, W, 3] in the middle of a square of `colour`; the image itself where it is square."""
    height, width = image.shape[:2]
    return image if height == width else Square(image, colour)


class Square(Bands):
    """An image in the middle of a square of a colour: rows are put together when they are needed."""

    def __init__(self, image: Source, colour: tuple[int, ...]) -> None:
        height, width = image.shape[:2]
        side = max(height, width)
        apart = image.strides[1:]
        self._dense = apart in ((CHANNELS, 1), (CHANNELS + 1, 1))  # rows may be copied as they are
        self._pixel = apart[0] if self._dense else CHANNELS
        self.shape, self.strides = (side, side, CHANNELS), (side * self._pixel, self._pixel, 1)
        self.dtype = np.dtype(np.uint8)
        self._image = image
        self._top, self._left = (side - height) // 2, (side - width) // 2
        row = np.zeros((side, self._pixel), np.uint8)
        row[:, :CHANNELS] = colour
        self._row = row.reshape(-1)
        self._count = max(1, _BAND // self.strides[0])

    def end(self, row: int) -> int:
        """The row behind the last that is put together with `row`."""
        return min(row + self._count, self.shape[0])

    def rows(self, first: int, last: int) -> npt.NDArray[np.uint8]:
        """Rows first..last-1, a copy."""
        made = empty((last - first, self.strides[0]), np.uint8)
        height, width = self._image.shape[:2]
        top, bottom = (min(max(row, first), last) for row in (self._top, self._top + height))
        left, right = self._left * self._pixel, (self._left + width) * self._pixel
        for place in np.s_[: top - first], np.s_[bottom - first :], np.s_[:, :left], np.s_[:, right:]:
            made[place] = self._row[place[1]] if isinstance(place, tuple) else self._row
        pixels = made.reshape(last - first, self.shape[1], self._pixel)[:, :, :CHANNELS]
        inside = pixels[top - first : bottom - first, self._left : self._left + width]
        for begin, rows in self._pieces(top - self._top, bottom - self._top):
            self._copy(rows, inside[begin : begin + len(rows)])
        return pixels

    def _pieces(self, first: int, last: int) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
        """Rows first..last-1 of the image in its own pieces, and where among them each begins."""
        if not isinstance(self._image, Bands):
            yield 0, self._image[first:last]
            return
        begin = first
        while begin < last:
            end = min(self._image.end(begin), last)
            yield begin - first, self._image.rows(begin, end)
            begin = end

    def _copy(self, rows: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
        if self._dense and len(rows):
            length = (rows.shape[1] - 1) * self._pixel + CHANNELS
            rows, out = (as_strided(a, (len(rows), length), (a.strides[0], 1)) for a in (rows, out))
        out[...] = rows
