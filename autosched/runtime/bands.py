"""Inputs that are in memory in several pieces: some rows in each.

A library that keeps an image in blocks can give the rows of a block as an array, but not all rows without a copy of
everything. A call that goes over the input in order needs few of them at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.runtime.binding import ArrayArgument, Reads, address_of, copied
from autosched.runtime.kernel import Call


class Bands(ABC):
    """A two- or more-dimensional array, C-contiguous but for the last dimension, of which rows can be had.

    Attributes:
        shape, strides, dtype: as of the array that all rows together would be.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @abstractmethod
    def rows(self, first: int, last: int) -> npt.NDArray[Any]:
        """Rows first..last-1 as an array of these strides: a view where they are in one piece, else a copy."""

    @abstractmethod
    def end(self, row: int) -> int:
        """The row behind the last that is in one piece with `row`."""

    def whole(self) -> npt.NDArray[Any]:
        """All rows."""
        return self.rows(0, self.shape[0])

    def place(self, first: int, last: int) -> tuple[int, object]:
        """The address of `rows`, and what has to be kept until they have been read."""
        rows = self.rows(first, last)
        return address_of(rows), rows


class Memory(Bands):
    """Bands in one piece: rows at an address, of any strides, read only.

    Arrays are made when they are asked for: that takes longer than many other steps of a call. `owner` is kept
    alive as long as this is.
    """

    def __init__(
        self, address: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any], owner: object
    ) -> None:
        self.address, self.shape, self.strides, self.dtype, self.owner = address, shape, strides, dtype, owner

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """For numpy."""
        where = {"data": (self.address, True), "shape": self.shape, "strides": self.strides}
        return {"version": 3, "typestr": self.dtype.str, **where}

    def rows(self, first: int, last: int) -> npt.NDArray[Any]:
        """Rows first..last-1, a view."""
        return np.asarray(self)[first:last]

    def end(self, row: int) -> int:
        """The row behind the last."""
        return self.shape[0]

    def part(self, top: int, left: int, height: int, width: int) -> Memory:
        """Rows from `top` and columns from `left` on."""
        address = self.address + top * self.strides[0] + left * self.strides[1]
        return Memory(address, (height, width, *self.shape[2:]), self.strides, self.dtype, self)


#: What has rows: an array, or bands.
Rows: TypeAlias = npt.NDArray[Any] | Bands


@dataclass(eq=False)
class BandedCall(Call):
    """A call that gets the rows of one input when it needs them.

    Attributes:
        bands: the input.
        array_arguments: where its address belongs among the arguments.
        reads: which rows iterations read, or may read.
    """

    bands: Bands
    array_arguments: tuple[ArrayArgument, ...]
    reads: Reads
    plain = False

    def run_range(self, stage: int, first: int, last: int) -> None:
        """Iterations first..last-1: as many at once as read one piece, or one that reads several."""
        reads = self.reads[stage]
        if reads is None:
            return super().run_range(stage, first, last)
        begin = first
        while begin < last:
            lo, hi = reads[begin]
            piece, end = self.bands.end(lo), begin + 1
            while end < last:
                least, most = reads[end]
                if least < lo or most > piece:  # rows before these may be in another piece
                    break
                hi, end = most if most > hi else hi, end + 1
            address, owner = self.bands.place(lo, hi)
            # where all rows would begin, if the rest were around this piece
            whole, arguments = address - lo * self.bands.strides[0], copied(self.arguments)
            for _, slot, offset in self.array_arguments:
                arguments[slot] = whole + offset
            self.run_with(arguments, stage, begin, end)
            del owner  # kept until it has been read, and no longer: it may be a copy
            begin = end
        return None


def cropped(source: Rows, top: int, left: int, height: int, width: int) -> Rows:
    """The part of an array, or of bands, from row `top` and column `left` on; cut at its edges."""
    if not isinstance(source, Bands):
        return source[top : top + height, left : left + width]
    if isinstance(source, Memory):
        return source.part(top, left, min(height, source.shape[0] - top), min(width, source.shape[1] - left))
    return CroppedBands(source, top, left, height, width)


class CroppedBands(Bands):
    """A part of bands; see `cropped`."""

    def __init__(self, source: Bands, top: int, left: int, height: int, width: int) -> None:
        self.source, self.top = source, top
        self.columns = slice(left, min(left + width, source.shape[1]))
        bottom = min(top + height, source.shape[0])
        self.shape = (bottom - top, self.columns.stop - left, *source.shape[2:])
        self.strides, self.dtype = source.strides, source.dtype

    def rows(self, first: int, last: int) -> npt.NDArray[Any]:
        """Rows first..last-1."""
        return self.source.rows(self.top + first, self.top + last)[:, self.columns]

    def place(self, first: int, last: int) -> tuple[int, object]:
        """The address of rows first..last-1, and their owner."""
        address, owner = self.source.place(self.top + first, self.top + last)
        return address + self.columns.start * self.strides[1], owner

    def end(self, row: int) -> int:
        """The row behind the last that is in one piece with `row`."""
        return min(self.source.end(self.top + row) - self.top, self.shape[0])
