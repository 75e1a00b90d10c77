"""A pool of threads for tasks in Python: ranges before which rows have to be fetched.

Ranges that need nothing of Python go to the helpers of `runtime.team`.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

#: Ranges a thread gets on average, so that an unlucky one does not keep the others waiting.
RANGES_PER_THREAD = 4

_lock = threading.RLock()  # a signal's handler may compute too
_pool: ThreadPoolExecutor | None = None
_size = 0


def _executor(helpers: int) -> ThreadPoolExecutor:
    """The shared pool, large enough for `helpers`. Its threads idle between calls."""
    global _pool, _size
    with _lock:
        if _pool is None or _size < helpers:
            old, _size = _pool, max(helpers, _size)
            _pool = ThreadPoolExecutor(_size, thread_name_prefix="autosched")
            if old is not None:
                old.shutdown(wait=False)
        return _pool


def _forget() -> None:
    """A forked child has no threads of its parent's pool."""
    global _pool, _size, _lock
    _pool, _size, _lock = None, 0, threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)

Task = Callable[[], None]


def run_tasks(tasks: Sequence[Task], threads: int) -> None:
    """Run all tasks on at most `threads` threads, the caller's included; the first error is raised at the end.

    Where there are fewer threads than that, those that there are do the work.
    """
    if threads == 1 or len(tasks) <= 1:
        for task in tasks:
            task()
        return
    queue = deque(tasks)

    def work() -> None:
        while True:
            try:
                task = queue.popleft()
            except IndexError:
                return
            try:
                task()
            except BaseException:
                queue.clear()
                raise

    helpers: list[Future[None]] = []
    try:
        for _ in range(min(threads, len(tasks)) - 1):
            helpers.append(Future())
            if not _submitted(partial(_help, helpers[-1], work), min(threads, len(tasks)) - 1):
                break
        work()
    except BaseException:
        queue.clear()
        raise
    finally:
        error = _ended(helpers, queue)
    if error is not None:
        raise error


def _help(helper: Future[None], work: Task) -> None:
    """What a helper's thread does, unless it comes too late."""
    if helper.set_running_or_notify_cancel():
        try:
            work()
        except BaseException as error:
            helper.set_exception(error)
        else:
            helper.set_result(None)


def _submitted(task: Task, helpers: int) -> bool:
    """Whether a thread of the pool may take the task; not where there can be no more threads, or Python ends."""
    global _pool
    while True:
        executor = _executor(helpers)
        try:
            executor.submit(task)
        except RuntimeError:
            if executor is _pool:
                return False
            # it was replaced by a larger one in between
        except BaseException:
            _pool = None  # an interrupt may have left a lock of its taken
            raise
        else:
            return True


def _ended(helpers: Sequence[Future[None]], queue: deque[Task]) -> BaseException | None:
    """Wait for helpers, even if interrupted; the first error of theirs, or the interrupt."""
    found: BaseException | None = None
    for helper in helpers:
        # one that has not begun has nothing to do any more
        while not helper.cancelled() and not helper.cancel():
            try:
                error = helper.exception()
                found = found or error
                break
            except BaseException as interrupt:
                queue.clear()
                found = interrupt
    return found
