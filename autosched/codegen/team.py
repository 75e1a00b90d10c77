"""Threads that run ranges of stages together: what each of them does, compiled, so that none needs Python in between.

A job is an array of words: how far it is, a table of ranges, and the helpers that were asked to join. A helper is a
line of words, and a thread of its own that sleeps on a lock in it. Its state is 0, or the address of a job and how that
stands with it. Where a job ended and another was offered at the same address before the helper looked, it finds the
offer of the second, and takes it.
"""

from __future__ import annotations

from typing import Final

from numba import njit

import autosched.codegen.stored  # noqa: F401  (what cache=True means)
from autosched.codegen.simd.ops import (
    acquire,
    atomic_add,
    atomic_load,
    call_stage,
    exchange,
    index,
    load_i64,
    pause,
    replace,
    unlock,
)  # fmt: skip

#: The words of a job: the range that is next, on a line of its own; how many ranges there are; how many helpers are
#: wanted, and whether all that are free were asked; the first that failed, from 1 on, and its status. Ranges begin at
#: FIRST, each a row of WIDTH words: the address of a stage, that of its arguments, the first iteration and the one
#: behind the last. Behind them are the addresses of the helpers that were asked.
NEXT, RANGES, HELPERS, OFFERED, STATUS, FAILED, FIRST = 0, 8, 9, 10, 11, 12, 16
WIDTH: Final = 4
#: The words of a helper: its state, whether it was woken, the lock it sleeps on, and that of who waits for it.
STATE, WOKEN, LOCK, DONE = range(4)
#: Words of a line, which is a helper's own.
LINE: Final = 8
#: How a job stands with a helper: offered to it, begun, and waited for by a thread that sleeps.
_OFFERED, _BEGUN, _AWAITED = 1, 2, 3
_KINDS: Final = 4
#: How often a thread looks whether a helper is done before it sleeps: some 50 microseconds.
_LOOKS: Final = 1000
_WORD: Final = 8


@njit
def _word(base, place):  # type: ignore[no-untyped-def]
    """A word that does not change any more, or of nobody else."""
    return index(load_i64(base + _WORD * place))


@njit
def _helper(job, number):  # type: ignore[no-untyped-def]
    """The helper in a place of a job's list, from 1 on."""
    return _word(job, FIRST + WIDTH * _word(job, RANGES) + number - 1)


@njit
def _wake(job, number):  # type: ignore[no-untyped-def]
    """Wake two of a job's helpers, each of which wakes two more: waking one takes some microseconds."""
    for place in range(2 * number + 1, min(2 * number + 2, _word(job, HELPERS)) + 1):
        helper = _helper(job, place)
        if helper != 0 and exchange(helper + _WORD * WOKEN, 1) == 0:
            unlock(_word(helper, LOCK))


@njit
def _work(job):  # type: ignore[no-untyped-def]
    """Run ranges until none is left, or one has failed."""
    count = _word(job, RANGES)
    while True:
        i = atomic_add(job + _WORD * NEXT, 1)
        if i >= count:
            return
        row = FIRST + WIDTH * i
        status = call_stage(_word(job, row), _word(job, row + 1), _word(job, row + 2), _word(job, row + 3))
        if status != 0:
            atomic_add(job + _WORD * NEXT, count)
            if replace(job + _WORD * FAILED, 0, i + 1) != 0:
                exchange(job + _WORD * STATUS, status)


@njit("void(int64)", nogil=True, cache=True)
def help_jobs(helper):  # type: ignore[no-untyped-def]
    """What a thread of a helper does, for ever."""
    while True:
        acquire(_word(helper, LOCK))
        exchange(helper + _WORD * WOKEN, 0)
        state = atomic_load(helper + _WORD * STATE)
        job = state - _OFFERED
        if state % _KINDS == _OFFERED and replace(helper + _WORD * STATE, state, job + _BEGUN) != 0:
            while atomic_load(job + _WORD * OFFERED) == 0:  # it was awake already, before the others were found
                pause()
            for number in range(1, _word(job, HELPERS) + 1):
                if _helper(job, number) == helper:
                    _wake(job, number)
            _work(job)
            if replace(helper + _WORD * STATE, job + _BEGUN, 0) == 0:
                unlock(_word(helper, DONE))


@njit
def _leave(job, helper):  # type: ignore[no-untyped-def]
    """Withdraw a job that a helper has not begun, or wait until it is done."""
    state = helper + _WORD * STATE
    if replace(state, job + _OFFERED, 0) != 0:
        return
    for _ in range(_LOOKS):
        if atomic_load(state) != job + _BEGUN:
            return
        pause()
    if replace(state, job + _BEGUN, job + _AWAITED) != 0:
        acquire(_word(helper, DONE))
        exchange(state, 0)


@njit("void(int64, int64, int64)", nogil=True, cache=True)
def run_job(job, helpers, count):  # type: ignore[no-untyped-def]
    """Run all ranges of a job, together with those of `count` helpers (lines from an address on) that are free.

    The job is given the number of helpers it wants, and room for their places. None knows it any more at the end.
    """
    wanted, found = _word(job, HELPERS), 0
    places = job + _WORD * (FIRST + WIDTH * _word(job, RANGES))
    for i in range(count):
        helper = helpers + _WORD * LINE * i
        if found < wanted and replace(helper + _WORD * STATE, 0, job + _OFFERED) != 0:
            exchange(places + _WORD * found, helper)
            found += 1
    exchange(job + _WORD * OFFERED, 1)
    _wake(job, 0)
    _work(job)
    for number in range(1, found + 1):
        _leave(job, _helper(job, number))
