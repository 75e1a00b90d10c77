"""a * b + c in float32, rounded once: what `fma` means, in numpy, on any CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def multiply_add(a: npt.NDArray[Any], b: npt.NDArray[Any], c: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Returns float32 a * b + c of float32 arrays that broadcast, correctly rounded.

    The product is exact in float64. Their sum is rounded to odd there (Boldo and Melquiond, "Emulation of FMA and
    correctly rounded sums: proved algorithms using rounding to odd", 2008), so that rounding it to float32 rounds the
    exact value.
    """
    with np.errstate(all="ignore"):
        product = a.astype(np.float64) * b.astype(np.float64)
        addend = c.astype(np.float64)
        total = np.asarray(product + addend)
        moved = total - product
        error = (product - (total - moved)) + (addend - moved)
        inexact = (error < 0) | (error > 0)
        bits = total.view(np.int64)
        towards = np.where((error < 0) == (total < 0), 1, -1)
        odd = np.where(inexact & (bits & 1 == 0), bits + towards, bits)
        return np.asarray(odd.view(np.float64).astype(np.float32))
