"""Tasks in Python: fewer threads than wanted do all the work, and nobody works on after an error."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from autosched.runtime import threads


@pytest.fixture(autouse=True)
def _own_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "_pool", None)
    monkeypatch.setattr(threads, "_size", 0)
    yield
    if threads._pool is not None:
        threads._pool.shutdown()


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_system_without_more_threads(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usual, started = threading.Thread.start, []

    def start(self: threading.Thread) -> None:
        if len(started) == most:
            raise RuntimeError("can't start new thread")
        started.append(self)
        usual(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    done: list[int] = []

    def task() -> None:
        time.sleep(0.002)
        done.append(1)

    for times in range(1, 4):
        threads.run_tasks([task] * 20, 4)
        assert len(done) == 20 * times


def test_a_pool_that_python_has_ended() -> None:
    code = """
import atexit
from autosched.runtime.threads import run_tasks
def late():
    done = []
    run_tasks([lambda: done.append(1)] * 9, 3)
    print(len(done))
atexit.register(late)
run_tasks([lambda: None] * 9, 3)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout == "9\n" and not said.stderr


def test_an_interrupt_while_helpers_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that have begun are waited for, and the next call has another pool."""
    usual, times, held = ThreadPoolExecutor.submit, [], []

    def interrupted(self: ThreadPoolExecutor, *args: Any) -> Any:
        times.append(1)
        if len(times) == 3:
            held.append(self._idle_semaphore._cond)  # type: ignore[attr-defined]
            held[0].acquire()  # as in the middle of it
            raise KeyboardInterrupt
        return usual(self, *args)

    running: list[int] = []

    def task() -> None:
        running.append(1)
        time.sleep(0.01)
        running.pop()

    with monkeypatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            threads.run_tasks([task] * 50, 6)
    assert not running
    done: list[int] = []
    again = threading.Thread(target=threads.run_tasks, args=([lambda: done.append(1)] * 9, 6), daemon=True)
    again.start()
    again.join(60)
    held[0].release()  # or the threads of the first pool never end
    assert len(done) == 9


def test_an_interrupt_while_helpers_work() -> None:
    """It is raised when all have ended what they had begun; no other task begins."""
    running: list[int] = []

    def task() -> None:
        running.append(1)
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            time.sleep(0.2)
        running.pop()

    with pytest.raises(KeyboardInterrupt):
        threads.run_tasks([task] * 2 + [lambda: time.sleep(0.01)] * 3, 2)
    assert not running
