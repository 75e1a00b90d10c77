"""Compares outputs bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.implementation import Output

_BLOCK = 1 << 24
"""Bytes that are compared at a time, so that no array as large as an output is made."""


class InexactError(Exception):
    """An implementation whose results must be exact gave other bits."""


def difference(actual: Output, expected: Output) -> str:
    """What differs between two outputs, "" where nothing does: names, dtypes, shapes and every bit are compared."""
    if set(actual) != set(expected):
        return f"it returns {sorted(actual)} instead of {sorted(expected)}"
    for name in expected:
        ours, theirs = np.asarray(actual[name]), np.asarray(expected[name])
        if (ours.dtype, ours.shape) != (theirs.dtype, theirs.shape):
            return f"{name} is {ours.dtype} {list(ours.shape)} instead of {theirs.dtype} {list(theirs.shape)}"
        count = _different_elements(ours, theirs)
        if count:
            return f"{count} of {ours.size} elements of {name} differ"
    return ""


def _different_elements(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> int:
    left, right = (np.ascontiguousarray(x).reshape(-1).view(f"u{x.itemsize}") for x in (a, b))
    step = _BLOCK // a.itemsize
    return sum(
        int(np.count_nonzero(left[first : first + step] != right[first : first + step]))
        for first in range(0, left.size, step)
    )


def output_bytes(output: Output) -> int:
    """The bytes of all arrays of an output."""
    return sum(np.asarray(value).nbytes for value in output.values())
