"""Scratch memory of kernels: what `reserve` promises."""

from __future__ import annotations

import pytest
from numba import njit

from autosched.codegen.simd import ops
from autosched.codegen.support import reserve


@njit
def release(address):  # type: ignore[no-untyped-def]
    ops.release(address)


@pytest.mark.parametrize("place", [0, 832, 4095])
def test_where_it_begins(place: int) -> None:
    """Always the same number of bytes into a page, so that a kernel meets the same conflicts in every process."""
    address, room = reserve(0, 0, 100_000, place)
    assert address % 4096 == place and room == 100_000
    assert reserve(address, room, 99_999, place) == (address, room)  # large enough
    larger, room = reserve(address, room, 300_000, place)
    assert larger % 4096 == place and room == 300_000
    release(larger)


def test_sizes_that_overflowed() -> None:
    assert reserve(0, 0, -8, 0) == (0, 0)
