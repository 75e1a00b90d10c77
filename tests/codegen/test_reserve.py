"""Scratch memory of kernels: what `reserve` promises, and how blocks go from one kernel to the next."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from autosched.codegen.simd import scratch
from autosched.codegen.simd.ops import index, load_i64, store_i64, value_i64
from autosched.codegen.support import give_back, reserve, scratch_from

PAGE = 4096


@pytest.fixture(autouse=True)
def _blocks_wait() -> Iterator[None]:
    """None that other tests have left."""
    with scratch_from(scratch.MOST_PAGES):
        yield


@pytest.mark.parametrize("place", [0, 832, 4095])
def test_where_it_begins(place: int) -> None:
    """Always the same number of bytes into a page, so that a kernel meets the same conflicts in every process."""
    address, room = reserve(0, 0, 100_000, place)
    assert address % PAGE == place and 100_000 <= room < 100_000 + PAGE
    assert reserve(address, room, 99_999, place) == (address, room)  # large enough
    larger, room = reserve(address, room, 300_000, place)
    assert larger % PAGE == place and 300_000 <= room < 300_000 + PAGE
    give_back(larger, room)


def test_sizes_that_overflowed() -> None:
    give_back(*reserve(0, 0, PAGE, 0))
    for size in (-8, 0, 1 << 62, (1 << 63) - 1):
        assert reserve(0, 0, size, 4095) == (0, 0)
    assert scratch.waiting() == [1]


def test_more_than_there_is() -> None:
    assert reserve(0, 0, 1 << 60, 64) == (0, 0)


def test_blocks_wait_for_the_next_kernel() -> None:
    """The same memory for all that fits, at any place; a block that is too small is replaced."""
    first = reserve(0, 0, 10 * PAGE, 0)
    give_back(*first)
    assert scratch.waiting() == [10]
    address, room = reserve(0, 0, 8 * PAGE, 128)
    assert (address, room) == (first[0] + 128, 10 * PAGE - 128) and scratch.waiting() == []
    give_back(address, room)
    larger = reserve(0, 0, 11 * PAGE, 0)
    assert larger[1] == 11 * PAGE and scratch.waiting() == []
    give_back(*larger)
    assert scratch.waiting() == [11]
    give_back(0, 0)
    assert scratch.waiting() == [11]


def test_what_does_not_wait() -> None:
    """Large blocks, and more than there are places for."""
    give_back(*reserve(0, 0, scratch.MOST_PAGES * PAGE + 1, 0))
    assert scratch.waiting() == []
    blocks = [reserve(0, 0, PAGE, 0) for _ in range(scratch.SLOTS + 2)]
    assert len({address for address, _ in blocks}) == len(blocks)
    for block in blocks:
        give_back(*block)
    assert scratch.waiting() == [1] * scratch.SLOTS


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 40 * PAGE), st.integers(0, PAGE - 1)), max_size=60))
def test_no_two_buffers_overlap(steps: list[tuple[int, int, int]]) -> None:
    """Whatever is reserved, made larger and given back in whatever order."""
    held: dict[int, tuple[int, int]] = {}
    for buffer, size, place in steps:
        if buffer in held and size % 3 == 0:
            give_back(*held.pop(buffer))
            continue
        address, room = reserve(*held.get(buffer, (0, 0)), size, place)
        assert address and room >= size
        held[buffer] = address, room
        spans = sorted(held.values())
        assert all(a + n <= b for (a, n), (b, _) in pairwise(spans))
    for block in held.values():
        give_back(*block)


@njit(nogil=True)
def _marked(number, rounds):  # type: ignore[no-untyped-def]
    """How often something else than `number` was in memory that this thread had written it to."""
    wrong, state = 0, number
    for _ in range(rounds):
        state = (state * 1103515245 + 12345) % 2147483648
        a, a_room = reserve(0, 0, state % 20000 + 8, 64)
        b, b_room = reserve(0, 0, state % 9000 + 8, 128)
        ends = (a, a + a_room - 8, b, b + b_room - 8)
        for end in ends:
            store_i64(end, value_i64(number))
        for end in ends:
            wrong += index(load_i64(end)) != number
        give_back(a, a_room)
        give_back(b, b_room)
    return wrong


def test_threads_never_share_a_block() -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda number: _marked(number, 200_000), range(1, 5))) == [0] * 4
    assert 0 < len(scratch.waiting()) <= 4 * 2
