"""Floats as their bits and back: what `reinterpret` means, in numpy, on any CPU."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

#: The bits that every NaN has, by how many there are: which NaN an operation makes differs between processors.
NAN: Final = {32: 0x7FC00000, 64: 0x7FF8000000000000}


def same_bits(a: npt.NDArray[Any], to: np.dtype[Any]) -> npt.NDArray[Any]:
    """The bits of floats as integers of the same width, or of integers as floats; an array of the same shape."""
    bits = np.ascontiguousarray(a).view(f"u{a.dtype.itemsize}").reshape(a.shape)
    if a.dtype.kind == "f":
        bits = np.where(np.isnan(a), bits.dtype.type(NAN[8 * a.dtype.itemsize]), bits)
    return bits.view(to)
