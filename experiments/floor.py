"""The memory floor: the time to read the source once and write the output once, doing nothing else.

No implementation that makes a new output can be faster than the better of the two floors. Ordinary stores fetch lines
into the caches first, non-temporal stores write past them.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from numba import njit

from autosched.codegen.simd.ops import const_u8x64, load_u8x64, store_u8x64, stream_u8x64
from autosched.runtime.pool import empty
from autosched.runtime.threads import RANGES_PER_THREAD, run_tasks

Stores: TypeAlias = Literal["ordinary", "non-temporal"]

LINE = 64
"""Bytes of a vector and of a cache line."""


def output(nbytes: int) -> npt.NDArray[np.float32]:
    """An array in the same kind of pages as an accelerated processor's output.

    It is made once and not in each round, where it would take the place in the pool of outputs of other sizes.
    """
    return empty((nbytes // 4,), np.float32)


def touch(source: npt.NDArray[np.uint8], out: npt.NDArray[np.float32], stores: Stores, threads: int) -> None:
    """Reads `source` and writes `out`, but for the bytes before the first and after the last whole line."""
    first_read, reads = _lines(source)
    first_write, writes = _lines(out)
    kernel = _KERNELS[stores]
    pieces = 1 if threads == 1 else threads * RANGES_PER_THREAD
    tasks = []
    for piece in range(pieces):
        begin, end = reads * piece // pieces, reads * (piece + 1) // pieces
        start, stop = writes * piece // pieces, writes * (piece + 1) // pieces
        task = partial(kernel, first_read + begin * LINE, end - begin, first_write + start * LINE, stop - start)
        tasks.append(task)
    run_tasks(tasks, threads)


def _lines(array: npt.NDArray[Any]) -> tuple[int, int]:
    """The address of the first whole line of an array, and how many there are."""
    skipped = -array.ctypes.data % LINE
    return array.ctypes.data + skipped, max(0, array.nbytes - skipped) // LINE


@njit(nogil=True, cache=True)
def _ordinary(source, reads, out, writes):  # type: ignore[no-untyped-def]
    """What is written depends on all that is read, so neither can be left out."""
    mixed = const_u8x64(0)
    for line in range(reads):
        mixed = mixed ^ load_u8x64(source + line * 64)
    for line in range(writes):
        store_u8x64(out + line * 64, mixed)


@njit(nogil=True, cache=True)
def _non_temporal(source, reads, out, writes):  # type: ignore[no-untyped-def]
    mixed = const_u8x64(0)
    for line in range(reads):
        mixed = mixed ^ load_u8x64(source + line * 64)
    for line in range(writes):
        stream_u8x64(out + line * 64, mixed, 64)


_KERNELS = {"ordinary": _ordinary, "non-temporal": _non_temporal}
