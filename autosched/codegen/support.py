"""Small functions that generated kernels call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from numba import njit

from autosched.codegen.simd.memory import PAGE
from autosched.codegen.simd.ops import allocate, exchange, index, load_i64, release, scratch_words
from autosched.codegen.simd.scratch import ALLOCATE, FIRST, FREE, MOST, SLOTS, WORDS

INFINITY = float("inf")
#: So many bytes no machine has; more would overflow where they are rounded up to pages.
_NEVER = 1 << 62


@njit(inline="never", cache=True)
def reserve(buffer, room, size, place):  # type: ignore[no-untyped-def]
    """Scratch memory of at least `size` bytes: the same where it is large enough, else another (address, bytes).

    It begins `place` bytes into a page. Address 0 where there is none to be had.
    """
    if 0 < size <= room:
        return buffer, room
    give_back(buffer, room)
    if not 0 < size < _NEVER:  # its computation overflowed
        return 0, 0
    pages = (size - 1 + place) // PAGE + 1
    block = _taken(pages)
    if block != 0:
        pages = block % PAGE
        return block - pages + place, pages * PAGE - place
    memory = allocate(pages * PAGE)
    if memory == 0:
        return 0, 0
    return memory + place, pages * PAGE - place


@njit(inline="never", cache=True)
def give_back(buffer, room):  # type: ignore[no-untyped-def]
    """Leave what `reserve` returned to the next kernel; address 0 is harmless."""
    place = buffer % PAGE
    pages = (place + room) // PAGE
    if buffer != 0 and pages <= index(load_i64(scratch_words() + 8 * MOST)):
        _keep(buffer - place + pages)
    else:
        release(buffer)


# A block that waits is one word: its address, which is that of a page, and how many pages it has.


@njit(inline="never", cache=True)
def _taken(pages):  # type: ignore[no-untyped-def]
    """A block of at least so many pages that has waited, or 0. Where all are smaller, one is freed, to be replaced."""
    smaller = 0
    for i in range(FIRST, FIRST + SLOTS):
        slot = scratch_words() + 8 * i
        block = index(load_i64(slot))
        if block % PAGE >= pages:
            block = exchange(slot, 0)
            if block % PAGE >= pages:
                return block
            _keep(block)  # another thread has changed it
        elif block != 0:
            smaller = slot
    if smaller != 0:
        release(exchange(smaller, 0))
    return 0


@njit(inline="never", cache=True)
def _keep(block):  # type: ignore[no-untyped-def]
    """Let a block wait, or free it where too many do; 0 is harmless."""
    for i in range(FIRST, FIRST + SLOTS):
        slot = scratch_words() + 8 * i
        if block != 0 and index(load_i64(slot)) == 0:
            block = exchange(slot, block)  # what another thread has just put there goes on to the next place
    release(block)


@njit(cache=True)
def _free_waiting():  # type: ignore[no-untyped-def]
    for i in range(FIRST, FIRST + SLOTS):
        release(exchange(scratch_words() + 8 * i, 0))


@contextmanager
def scratch_from(most_pages: int, allocate: int = 0, free: int = 0) -> Iterator[None]:
    """For tests and for counting: in this block only new blocks of at most `most_pages` wait.

    `allocate` and `free` are addresses of functions that do what aligned_alloc and free do, 0 for these themselves.
    Kernels of other threads may free by the one what the other has given.
    """
    before = WORDS[:FIRST].copy()
    WORDS[MOST] = 0
    _free_waiting()
    WORDS[:FIRST] = [most_pages, allocate or before[ALLOCATE], free or before[FREE]]
    try:
        yield
    finally:
        WORDS[MOST] = 0
        _free_waiting()
        WORDS[:FIRST] = before


@njit(inline="never", cache=True)
def wrapped_once(ahead, factor):  # type: ignore[no-untyped-def]
    """`ahead` modulo `factor`, which it is less than two of."""
    return ahead if ahead < factor else ahead - factor
