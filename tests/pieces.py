"""Arrays in several pieces of memory, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from autosched.runtime import Bands


class Pieces(Bands):
    """An array cut into pieces that are far from each other in memory."""

    def __init__(self, array: np.ndarray[Any, Any], cuts: list[int]) -> None:
        self.shape, self.strides, self.dtype = array.shape, array.strides, array.dtype
        self.ends = [*sorted(set(cuts) - {0, len(array)}), len(array)]
        self.pieces = [array[a:b].copy() for a, b in zip([0, *self.ends[:-1]], self.ends, strict=True)]
        self.asked: list[tuple[int, int]] = []

    def rows(self, first: int, last: int) -> np.ndarray[Any, Any]:
        self.asked.append((first, last))
        piece = self.ends.index(self.end(first))
        begin = self.ends[piece - 1] if piece else 0
        if last <= self.ends[piece]:
            return self.pieces[piece][first - begin : last - begin]
        return np.concatenate(self.pieces)[first:last]

    def end(self, row: int) -> int:
        return next(end for end in self.ends if end > row)
