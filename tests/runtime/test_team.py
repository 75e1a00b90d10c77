"""Helpers that join threads: every range runs once, on no more threads than told, and all are done at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from autosched.codegen.build import stage_address
from autosched.codegen.printer import SIGNATURE
from autosched.codegen.simd.ops import atomic_add, atomic_load, pause
from autosched.runtime import team
from autosched.runtime.team import Ranges, run_ranges

#: The words that the stages below share with the tests.
RUNNING, MOST, DONE, ARRIVED, COUNTS = range(5)


@njit(SIGNATURE, nogil=True)
def count(words, first, last):  # type: ignore[no-untyped-def]
    """Counts each iteration; a negative one fails with its own status."""
    for i in range(first, last):
        atomic_add(words + 8 * (COUNTS + i), 1)
    return 0


@njit(SIGNATURE, nogil=True)
def crowd(words, first, last):  # type: ignore[no-untyped-def]
    """Stays for a while; more at once than may be are counted."""
    if atomic_add(words + 8 * RUNNING, 1) >= atomic_load(words + 8 * MOST):
        atomic_add(words + 8 * COUNTS, 1)
    for _ in range(2000):
        pause()
    atomic_add(words + 8 * RUNNING, -1)
    return 0


@njit(SIGNATURE, nogil=True)
def meet(words, first, last):  # type: ignore[no-untyped-def]
    """Waits until `MOST` threads are here at the same time, and the last of the ranges a while longer."""
    atomic_add(words + 8 * ARRIVED, 1)
    while atomic_load(words + 8 * ARRIVED) < atomic_load(words + 8 * MOST):
        pause()
    if last == atomic_load(words + 8 * MOST):
        for _ in range(200_000):
            pause()
    atomic_add(words + 8 * DONE, 1)
    return 0


@njit(SIGNATURE, nogil=True)
def fail(words, first, last):  # type: ignore[no-untyped-def]
    """Fails from the third iteration on, with the number of the iteration."""
    atomic_add(words + 8 * DONE, 1)
    return first if first >= 3 else 0


def words(most: int = 0, counts: int = 1) -> npt.NDArray[np.int64]:
    made = np.zeros(COUNTS + counts, np.int64)
    made[MOST] = most
    return made


def ranges(stage: Any, of: npt.NDArray[np.int64], ends: list[int]) -> list[tuple[int, int, int, int]]:
    return [(stage_address(stage), of.ctypes.data, *each) for each in zip([0, *ends], ends, strict=False)]


def sizes() -> st.SearchStrategy[list[int]]:
    """Where ranges end, some of them empty."""
    return st.lists(st.integers(0, 5), min_size=1, max_size=60).map(lambda steps: list(np.cumsum(steps)))


@settings(deadline=None)
@given(sizes(), st.integers(1, 9))
def test_every_iteration_once(ends: list[int], threads: int) -> None:
    shared = words(counts=ends[-1])
    assert run_ranges(ranges(count, shared, ends), threads) is None
    assert np.array_equal(shared[COUNTS:], np.ones(ends[-1]))


@settings(max_examples=20, deadline=None)
@given(st.lists(sizes(), min_size=2, max_size=6), st.integers(2, 5))
def test_threads_of_the_callers_share_helpers(of_each: list[list[int]], threads: int) -> None:
    shared = [words(counts=ends[-1]) for ends in of_each]
    times = 50

    def call(mine: npt.NDArray[np.int64], ends: list[int]) -> None:
        for _ in range(times):
            run_ranges(ranges(count, mine, ends), threads)

    callers = [threading.Thread(target=call, args=each) for each in zip(shared, of_each, strict=True)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(np.array_equal(mine[COUNTS:], np.full(len(mine) - COUNTS, times)) for mine in shared)


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_no_more_threads_than_told(threads: int) -> None:
    shared = words(most=threads)
    run_ranges(ranges(crowd, shared, list(range(1, 50))), threads)
    assert shared[RUNNING] == shared[COUNTS] == 0


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_as_many_threads_as_told_and_all_are_waited_for(threads: int) -> None:
    """The ranges wait for each other, so they end only if each has a thread; some time the caller's ends first."""
    for _ in range(10):
        shared = words(most=threads)
        run_ranges(ranges(meet, shared, list(range(1, threads + 1))), threads)
        assert shared[DONE] == threads


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_first_failure_is_told_and_nothing_begins_after_it(threads: int) -> None:
    for _ in range(20):
        shared = words()
        failed = run_ranges(ranges(fail, shared, list(range(1, 1000))), threads)
        assert failed is not None
        number, status = failed
        assert number == status and 3 <= number < 3 + threads
        assert 4 <= shared[DONE] <= 3 + 2 * threads


@pytest.mark.parametrize("threads", [2, 3, 9])
def test_ranges_that_are_run_again_with_other_arguments(threads: int) -> None:
    again = Ranges(stage_address(count), [(first, first + 2) for first in range(0, 40, 2)], threads)
    both = words(counts=40), words(counts=40)
    for shared in (*both, both[0]):
        assert again.run(shared.ctypes.data) == 0
    assert both[0][COUNTS:].tolist() == [2] * 40 and both[1][COUNTS:].tolist() == [1] * 40
    failing = Ranges(stage_address(fail), [(first, first + 1) for first in range(100)], threads)
    for _ in range(5):
        assert 3 <= failing.run(words().ctypes.data) < 3 + threads


def test_a_system_without_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads that there are do the work."""

    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(team, "_team", None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        shared = words(counts=50)
        assert run_ranges(ranges(count, shared, [20, 50]), 2) is None and shared[COUNTS:].tolist() == [1] * 50
    run_ranges(ranges(meet, words(most=2), [1, 2]), 2)  # later there are more


def within(seconds: float, work: Callable[[], object]) -> None:
    """Do it on a thread that is left alone where it never ends."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_a_signal_needs_helpers_meanwhile(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes where one is begun, does with those that there are, and no two helpers have one line."""
    usual, helped = threading.Thread.start, team._Team._help
    lines: list[int] = []
    handled: list[int] = []

    def interrupted(thread: threading.Thread) -> None:
        if when == "after":
            usual(thread)
        if thread.name.startswith("autosched") and not handled:
            handled.append(1)
            shared = words(counts=50)
            assert run_ranges(ranges(count, shared, list(range(1, 51))), 5) is None
            assert shared[COUNTS:].tolist() == [1] * 50
        if when == "before":
            usual(thread)

    def noted(self: team._Team, line: int) -> None:
        lines.append(line)
        helped(self, line)

    monkeypatch.setattr(team, "_team", None)
    monkeypatch.setattr(team._Team, "_help", noted)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        within(30, lambda: run_ranges(ranges(meet, words(most=4), [1, 2, 3, 4]), 4))
    assert handled and len(lines) == len(set(lines)) == 3


def test_a_helper_that_an_interrupt_kept_from_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its line stays its own: another helper has another."""
    usual = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        usual(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(team, "_team", None)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_ranges(ranges(count, words(counts=2), [1, 2]), 2)
    assert team._of_process().count == 1
    run_ranges(ranges(meet, words(most=3), [1, 2, 3]), 3)
    assert team._of_process().count == 2


def test_a_handler_of_a_signal_has_the_first_team(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, found = team._Team, []

    def interrupted() -> team._Team:
        if not found:
            found.append(None)
            found[0] = team._of_process()
        return usual()

    monkeypatch.setattr(team, "_team", None)
    monkeypatch.setattr(team, "_Team", interrupted)
    within(30, lambda: found.append(team._of_process()))
    assert found[0] is found[1] is team._of_process()
