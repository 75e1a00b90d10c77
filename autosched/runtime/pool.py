"""Memory of large outputs, kept for the next one: writing to new pages costs more than computing what goes there.

A block goes back to the pool when the last array or tensor that uses it is gone. What waits there is marked as free to
the kernel, which takes it where memory runs short, and costs nothing to use again where it did not.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError

#: Bytes of a huge page on the architectures that matter; a block is a multiple of it and begins at one.
HUGE_PAGE = 1 << 21
#: Bytes that may wait in the pool on any machine, unless AUTOSCHED_POOL_BYTES says otherwise.
_LEAST_LIMIT = 1 << 30
#: The part of the machine's memory that may wait, where that is more.
_PART_OF_MEMORY = 8
#: A block serves an array that fills at least this share of it.
_LEAST_FILLED = 0.75

_BYTE: Final = np.dtype(np.uint8)
#: The kinds of types that need nothing but their bytes.
_NUMBERS: Final = "biufc"
_PRIVATE = hasattr(mmap, "MAP_PRIVATE") and hasattr(mmap, "MAP_ANONYMOUS")


def huge_pages(nbytes: int) -> tuple[mmap.mmap, int]:
    """New anonymous memory, one huge page longer than `nbytes`, and where in it the first huge page begins."""
    memory = mmap.mmap(-1, nbytes + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = -np.frombuffer(memory, np.uint8).ctypes.data % HUGE_PAGE
    _advise(memory, "MADV_HUGEPAGE", start, nbytes)
    return memory, start


def _advise(memory: mmap.mmap, name: str, start: int, nbytes: int) -> None:
    advice = getattr(mmap, name, None)
    if advice is not None:
        with contextlib.suppress(OSError):  # only advice: a kernel without huge pages refuses it
            memory.madvise(advice, start, nbytes)


class _Block:
    """Anonymous pages of `size` bytes, from `start` on in a mapping that is one huge page longer."""

    __slots__ = ("address", "memory", "pid", "resting", "size", "start")

    def __init__(self, size: int) -> None:
        self.size = size
        self.pid = os.getpid()
        self.resting = False
        self.memory, self.start = huge_pages(size)
        self.address = np.frombuffer(self.memory, np.uint8).ctypes.data + self.start

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        """An array at its beginning; the block goes back to the pool when nothing refers to that any more."""
        self.resting = False
        loan = _Loan((self.size,), _BYTE, self.memory, self.start)
        loan.block = self
        return np.ndarray(shape, dtype, loan)

    def idle(self) -> None:
        """Let the kernel take the pages while nobody uses them; one huge page is not worth the call."""
        self.resting = True
        if self.size > HUGE_PAGE:
            self._advise("MADV_FREE")

    def _advise(self, name: str) -> None:
        _advise(self.memory, name, self.start, self.size)


_returned: deque[_Block] = deque()


class _Loan(np.ndarray):
    """The bytes of a block, which arrays on it keep alive, and what gives it back in the end.

    numpy passes over the bases of bases only where they are of the array's own class.
    """

    block: _Block

    def __del__(self, getpid: Callable[[], int] = os.getpid, back: deque[_Block] = _returned) -> None:
        # The names are arguments because modules are empty when Python ends. Appending is one step: the collector may
        # run this in any thread, even inside of `empty`.
        if self.block.pid == getpid():  # not in a forked child
            back.append(self.block)


_lock = threading.RLock()
#: A signal's handler may come in the middle of a change of what waits, and must not see that.
_changing = False
_waiting: list[_Block] = []  # the latest last


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """A new array like `numpy.empty`, on memory that an earlier array of about the same size has left.

    Arrays below 2 MiB are numpy's own. Waiting memory counts against AUTOSCHED_POOL_BYTES (default 1 GiB or an eighth
    of the memory; 0 keeps nothing), and memory that has to be asked for anew replaces what waits and does not fit.

    Raises:
        ArgumentError: AUTOSCHED_POOL_BYTES is not a number.
        MemoryError: there is not enough memory.
    """
    return placed(shape, np.dtype(dtype))[0]


def placed(shape: tuple[int, ...], kind: np.dtype[Any]) -> tuple[npt.NDArray[Any], int]:
    """`empty`, and its address, which is known here and takes long to find out."""
    return lent(shape, kind, math.prod(shape) * kind.itemsize)


def lent(shape: tuple[int, ...], kind: np.dtype[Any], nbytes: int) -> tuple[npt.NDArray[Any], int]:
    """`placed` of an array of so many bytes."""
    limit = pool_limit()
    if nbytes < HUGE_PAGE or not limit or not _PRIVATE or kind.kind not in _NUMBERS:
        made = np.empty(shape, kind)
        return made, made.__array_interface__["data"][0]
    size = -(-nbytes // HUGE_PAGE) * HUGE_PAGE
    block = _latest(size) or _taken(size, limit)
    if block is None:
        try:
            block = _Block(size)
        except OSError as error:
            raise MemoryError(f"no memory for an array of {nbytes} bytes") from error
    return block.lend(shape, kind), block.address


def scratch(nbytes: int) -> tuple[npt.NDArray[np.uint8], int]:
    """Memory of at least `nbytes` bytes for a moment, and its address: it waits in the pool even where it is small.

    The system would take it back, and give it out again page by page.
    """
    return placed((max(nbytes, HUGE_PAGE),), _BYTE)


@cache
def pool_limit() -> int:
    """AUTOSCHED_POOL_BYTES as it was at the first call, or the default."""
    given = os.environ.get("AUTOSCHED_POOL_BYTES")
    if given is None:
        return _default_limit()
    if not given.isdigit():
        raise ArgumentError(f"AUTOSCHED_POOL_BYTES is {given!r}; it must be a number of bytes, 0 to keep none.")
    return int(given)


@cache
def _default_limit() -> int:
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return _LEAST_LIMIT
    return max(_LEAST_LIMIT, memory // _PART_OF_MEMORY)


def waiting_bytes() -> int:
    """Bytes that wait in the pool."""
    with _lock:
        _taken(0, pool_limit())
        return sum(b.size for b in _waiting)


def clear() -> None:
    """Give all memory that waits back to the system."""
    with _lock:
        if not _changing:
            _returned.clear()
            _waiting.clear()


def _latest(size: int) -> _Block | None:
    """The block that came back last, if it is of just this size: a call often needs what the one before it has left.

    Each step is one of the interpreter's, so no lock is needed.
    """
    try:
        block = _returned.pop()
    except IndexError:
        return None
    if block.size == size:
        return block
    _returned.append(block)
    return None


def _taken(size: int, limit: int) -> _Block | None:
    """A block that has waited, for `size` bytes if there are any; what came back waits from now on, and rests."""
    global _changing
    with _lock:
        if _changing:
            return None
        try:
            _changing = True
            _collect(limit)
            block = _fitting(size) if size else None
            _rest()
            return block
        finally:
            _changing = False


def _collect(limit: int) -> None:
    """Moves what came back among the waiting; the oldest go where that is too much."""
    with contextlib.suppress(IndexError):  # others may take from it, see `_latest`
        while True:
            _waiting.append(_returned.popleft())
    total = sum(b.size for b in _waiting)
    while total > limit:
        total -= _waiting.pop(0).size


def _rest() -> None:
    """Lets the kernel take what waits: the latest blocks, which an array may just have left and another taken."""
    for block in reversed(_waiting):
        if block.resting:
            break
        block.idle()


def _fitting(size: int) -> _Block | None:
    """The smallest waiting block that is large enough and not much larger; else makes room for a new one."""
    if _waiting and _waiting[-1].size == size:  # what the call before this one has left
        return _waiting.pop()
    fits = [b for b in _waiting if b.size >= size >= _LEAST_FILLED * b.size]
    if fits:
        best = min(reversed(fits), key=lambda b: b.size)
        _waiting.remove(best)
        return best
    room = 0
    while _waiting and room < size:
        room += _waiting.pop(0).size
    return None


def _forget() -> None:
    """A forked child starts with an empty pool: its parent's memory would be copied page by page."""
    global _lock, _changing
    _lock, _changing = threading.RLock(), False
    _returned.clear()
    _waiting.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
