"""What is in the caches and mapped when the clock starts: the regimes of measuring."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from autosched.runtime.cpu import fingerprint
from autosched.runtime.pool import HUGE_PAGE, huge_pages
from autosched.tune.measure import nothing

Array = npt.NDArray[Any]

#: warm: as the run before left it. cold-source: source, tables and output are in memory, not in the caches.
#: fresh-output: moreover, the pages of the output are new, and the system zeroes them as they are first written.
Regime = Literal["warm", "cold-source", "fresh-output"]
REGIMES: tuple[Regime, ...] = get_args(Regime)

#: Bytes that are written to push everything else out of the caches: twice the last one, within these bounds.
_LEAST, _MOST = 32 << 20, 256 << 20


def new_output(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An output on pages of its own, which `between` can give back; they are faulted in.

    Large ones are as the pool's: huge pages, where the system has them.
    """
    nbytes = int(np.prod(shape)) * dtype.itemsize
    if not nbytes:
        return np.zeros(shape, dtype)
    if nbytes >= HUGE_PAGE:
        memory, start = huge_pages(nbytes)
    else:
        memory, start = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), 0
    made: Array = np.frombuffer(memory, np.uint8, nbytes, start).view(dtype).reshape(shape)
    made.fill(0)
    return made


def between(regime: Regime, outputs: Sequence[Array]) -> Callable[[], None]:
    """What is done before every run, while no clock runs. `outputs` come from `new_output`."""
    if regime == "warm":
        return nothing
    l3 = fingerprint().l3
    sweep = np.zeros(min(max(2 * l3, _LEAST), _MOST), np.uint8)
    mappings = {id(m): m for m in map(_mapping, outputs) if m is not None}

    def cold() -> None:
        if regime == "fresh-output":
            for mapping in mappings.values():
                mapping.madvise(mmap.MADV_DONTNEED)
        np.add(sweep, 1, out=sweep)

    return cold


def _mapping(output: Array) -> mmap.mmap | None:
    base: Any = output
    while isinstance(base, np.ndarray):
        base = base.base
    base = base.obj if isinstance(base, memoryview) else base
    return base if isinstance(base, mmap.mmap) else None
