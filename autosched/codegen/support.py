"""Small functions that generated kernels call."""

from __future__ import annotations

from numba import njit

from autosched.codegen.simd.ops import allocate, release

INFINITY = float("inf")


@njit(inline="never", cache=True)
def reserve(buffer, room, size, place):  # type: ignore[no-untyped-def]
    """Scratch memory of at least `size` bytes: the same where it is large enough, else a new one (address, bytes).

    It begins `place` bytes into a page. Address 0 where there is none to be had.
    """
    if 0 < size <= room:
        return buffer, room
    release(buffer)
    if size <= 0:  # its computation overflowed
        return 0, 0
    memory = allocate(size + place)
    if memory == 0:
        return 0, 0
    return memory + place, size


@njit(inline="never", cache=True)
def next_power_of_two(n):  # type: ignore[no-untyped-def]
    """The least power of two that is at least `n` (1 for n <= 1)."""
    power = 1
    while power < n:
        power <<= 1
    return power
