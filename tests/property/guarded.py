"""Arrays whose memory ends where a page that nobody may touch begins: a read or a write too far crashes at once."""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any

import numpy as np

_PAGE = mmap.PAGESIZE


def guarded(size: int, before: bool) -> np.ndarray[Any, Any]:
    """`size` bytes at the end of writable pages, or at their begin, between two pages without access."""
    if not sys.platform.startswith("linux"):
        return np.zeros(size, np.uint8)
    pages = -(-max(size, 1) // _PAGE) * _PAGE
    memory = mmap.mmap(-1, pages + 2 * _PAGE)
    whole = np.frombuffer(memory, np.uint8)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for place in (0, _PAGE + pages):
        if libc.mprotect(whole.ctypes.data + place, _PAGE, 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    at = _PAGE if before else _PAGE + pages - size
    return whole[at : at + size]


def place(values: np.ndarray[Any, Any], layout: str) -> np.ndarray[Any, Any]:
    """A copy of `values` in guarded memory, with the strides of `layout`."""
    shape, dtype = values.shape, values.dtype
    steps = [1] * values.ndim
    match layout:
        case "transposed":
            made = _array(shape[::-1], dtype, False).T
        case "sliced":
            steps = [2 if d % 2 == 0 else 3 for d in range(values.ndim)][::-1]
            spread = tuple(max((n - 1) * s + 1, 0) if n else 0 for n, s in zip(shape, steps, strict=True))
            made = _array(spread, dtype, False)[tuple(slice(None, None, s) for s in steps)]
        case "negative":
            made = _array(shape, dtype, True)[(slice(None, None, -1),) * values.ndim]
        case "broadcast":
            one = _array((1, *shape[1:]), dtype, False)
            one[...] = values[:1]
            return np.broadcast_to(one, shape)
        case "tail":
            made = _array(shape, dtype, True)
        case _:
            made = _array(shape, dtype, False)
    made[...] = values
    return made


def _array(shape: tuple[int, ...], dtype: np.dtype[Any], before: bool) -> np.ndarray[Any, Any]:
    size = int(np.prod(shape)) * dtype.itemsize
    return guarded(size, before).view(dtype).reshape(shape)


__all__ = ["guarded", "place"]
