"""Numbers of threads: those that are asked for, and the default."""

from __future__ import annotations

import os

from autosched.errors import ArgumentError, AutoschedError, BindError


def default_threads() -> int:
    """AUTOSCHED_NUM_THREADS, or the number of CPUs that this process may use."""
    given = os.environ.get("AUTOSCHED_NUM_THREADS")
    if given is not None:
        return checked(int(given) if given.isdecimal() else given, "AUTOSCHED_NUM_THREADS", BindError)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def counted(threads: int) -> str:
    """A number of threads in words: "1 thread", "2 threads"."""
    return f"{threads} thread{'s' * (threads > 1)}"


def checked(threads: object, what: str = "threads", error: type[AutoschedError] = ArgumentError) -> int:
    """A number of threads that was asked for, None for the default; raises `error`, which calls it `what`."""
    if threads is None:
        return default_threads()
    if not isinstance(threads, int) or isinstance(threads, bool):
        raise error(f"{what} is {threads!r}; it must be a whole number, at least 1")
    if threads < 1:
        raise error(f"{what} is {threads}; it must be at least 1")
    return threads
