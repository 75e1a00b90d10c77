"""Inputs that are in memory in several pieces: some rows in each.

A library that keeps an image in blocks can give the rows of a block as an array, but not all rows without a copy of
everything. A call that goes over the input in order needs few of them at a time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from autosched.lower.demands import end_name
from autosched.runtime.kernel import Call, Kernel
from autosched.runtime.template import Missing

#: Bytes behind a row that kernels may read with the row, if they are there; see `lower.vectorize`.
_BEHIND = 256


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


@dataclass(frozen=True)
class BandedCall(Call):
    """A call that gets the rows of one input when it needs them.

    Attributes:
        bands: the input.
        slots: places of addresses among the arguments, of its first byte and maybe of the one behind its last.
        needed: the first row, and the one behind the last, that iterations first..last-1 read.
    """

    bands: Bands
    slots: tuple[int, ...]
    needed: Callable[[int, int], tuple[int, int]]

    def run_range(self, stage: int, first: int, last: int) -> None:
        """Iterations first..last-1: as many at once as read one piece, or one that reads several."""
        begin = first
        while begin < last:
            piece = self.bands.end(self.needed(begin, begin + 1)[0])
            end = begin + 1
            while end < last and self._rows(begin, end + 1)[1] <= piece:
                end += 1
            lo, hi = self._rows(begin, end)
            band = self.bands.rows(lo, hi)
            arguments = self.arguments.copy()
            # the address that all of it would have, if the rest were around this piece
            arguments[list(self.slots)] += band.ctypes.data - lo * self.bands.strides[0] - self.arguments[self.slots[0]]
            self.run_with(arguments, stage, begin, end)
            begin = end

    def _rows(self, first: int, last: int) -> tuple[int, int]:
        """What iterations read, and what lies behind."""
        lo, hi = self.needed(first, last)
        return lo, min(hi - (-_BEHIND // self.bands.strides[0]), self.bands.shape[0])


def bind_bands(
    kernel: Kernel, name: str, bands: Bands, loop: str, needed: Callable[[int, int], tuple[int, int]], **given: Any
) -> Call:
    """Binds `kernel` with the rows of input `name` from `bands`.

    `needed` gives the rows that iterations of the coordinate `loop` of the output read. Where the schedule has other
    stages than the output's, or does not have this loop outermost, all rows are had before.
    """
    arrays: dict[str, Any] = {**given, name: Missing.like(bands).stand_in()}
    call = kernel.bind(**arrays)
    stages = call.built.lowered.stages
    slots = tuple(call.built.slots[n] for n in (name, end_name(name)) if n in call.built.slots)
    if len(stages) != 1 or stages[0].loop != f"{stages[0].func}.{loop}" or name not in call.built.slots:
        arrays[name] = bands.whole()
        return kernel.bind(**arrays)
    parts = {f.name: getattr(call, f.name) for f in fields(Call)}
    return BandedCall(**parts, bands=bands, slots=slots, needed=needed)
