"""Helpers: threads that join the threads which run kernels. They sleep in compiled code, so no range waits for Python.

What they do is in `codegen.team`. Threads of the caller's that run kernels at the same time share them.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Sequence
from ctypes import Array as Words
from ctypes import addressof, c_int64
from itertools import chain
from typing import Final, TypeAlias

import numpy as np

from autosched.codegen.build import compiling

#: Helpers there may be; more threads than these are not used.
MOST: Final = 1024

#: The address of a stage, that of its arguments, its first iteration and the one behind its last.
Range: TypeAlias = tuple[int, int, int, int]


class _Team:
    """The helpers of this process, each in a line of words."""

    def __init__(self) -> None:
        with compiling():
            from autosched.codegen import team

        self.code = team
        self.lock = threading.RLock()  # a signal's handler may compute too
        self.growing = False
        self.count = 0
        words = np.zeros(team.LINE * (MOST + 1), np.int64)
        skipped = -words.ctypes.data % (team.LINE * words.itemsize) // words.itemsize
        self.lines = words[skipped : skipped + team.LINE * MOST].reshape(MOST, team.LINE)
        self.address = self.lines.ctypes.data

    def grow(self, count: int) -> None:
        """Have at least so many helpers, or all that there may be and the system allows.

        A signal's handler that comes in the middle of it does with those that there are.
        """
        with self.lock:
            if self.growing:
                return
            try:
                self.growing = True
                while self.count < min(count, MOST) and self._begun():
                    pass
            finally:
                self.growing = False

    def _begun(self) -> bool:
        """Whether there is one more helper; not where there can be no more threads."""
        line = self.lines[self.count]
        if not line[self.code.LOCK]:
            line[self.code.DONE], line[self.code.LOCK] = _taken_lock(), _taken_lock()
        # daemons: they never end, and are in the middle of nothing when nobody waits for it
        name = f"autosched_{self.count}"
        helper = threading.Thread(target=self._help, args=(line.ctypes.data,), name=name, daemon=True)
        self.count += 1  # whatever interrupts what follows, nobody else has this line; jobs offered there are withdrawn
        try:
            helper.start()
        except RuntimeError:  # those that there are do the work
            self.count -= 1
            return False
        return True

    def _help(self, line: int) -> None:
        """What a helper's thread does; it keeps the words of the team alive."""
        self.code.help_jobs(line)

    def job(self, ranges: Sequence[Range], helpers: int) -> Words[c_int64]:
        """A job of these ranges for so many helpers."""
        code = self.code
        end = code.FIRST + code.WIDTH * len(ranges)
        job: Words[c_int64] = (c_int64 * (end + helpers))()
        job[code.RANGES], job[code.HELPERS] = len(ranges), helpers
        job[code.FIRST : end] = list(chain.from_iterable(ranges))
        return job

    def run(self, job: Words[c_int64]) -> tuple[int, int] | None:
        """Run a new job, on this thread and helpers; which range failed, and the status of its stage."""
        code = self.code
        helpers = job[code.HELPERS]
        if self.count < helpers:
            self.grow(helpers)
        code.run_job(addressof(job), self.address, self.count)
        return (job[code.FAILED] - 1, job[code.STATUS]) if job[code.FAILED] else None


def _taken_lock() -> int:
    """A lock of Python's that is taken, by its address."""
    api = ctypes.pythonapi
    api.PyThread_allocate_lock.restype = ctypes.c_void_p
    made = api.PyThread_allocate_lock()
    if not made:
        raise MemoryError("no memory for a lock")
    api.PyThread_acquire_lock(ctypes.c_void_p(made), 1)
    return int(made)


_lock = threading.RLock()
_team: _Team | None = None


def run_ranges(ranges: Sequence[Range], threads: int) -> tuple[int, int] | None:
    """Run ranges of stages on at most `threads` threads, the caller's included.

    The number of one that has failed, and its status; None where all are done. Nothing begins after a failure.
    """
    team = _of_process()
    return team.run(team.job(ranges, min(threads, len(ranges)) - 1))


class Ranges:
    """Ranges that are run again and again, each time with other arguments of their stage."""

    __slots__ = ("_job", "_slots")

    def __init__(self, entry: int, ranges: Sequence[tuple[int, int]], threads: int) -> None:
        """Iterations of the stage at an address, for at most `threads` threads."""
        team = _of_process()
        self._job = team.job([(entry, 0, first, last) for first, last in ranges], min(threads, len(ranges)) - 1)
        start = team.code.FIRST + 1
        self._slots = range(start, start + team.code.WIDTH * len(ranges), team.code.WIDTH)

    def run(self, arguments: int) -> int:
        """Run all with the arguments at an address; the status of one that failed, 0 where all are done."""
        job = type(self._job).from_buffer_copy(self._job)
        for slot in self._slots:
            job[slot] = arguments
        failed = _of_process().run(job)
        return 0 if failed is None else failed[1]


def _of_process() -> _Team:
    global _team
    if _team is None:
        with _lock:
            if _team is None:
                made = _Team()
                if _team is None:  # a signal's handler may have needed one meanwhile
                    _team = made
    return _team


def _forget() -> None:
    """A forked child has no threads of its parent's."""
    global _team, _lock
    _team, _lock = None, threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
