"""Signals: those with which batch systems and lost terminals end a process, and when handlers may run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: SIGTERM of Slurm before a job is preempted or cancelled; SIGHUP of a terminal that is lost, as of an ssh
#: connection; the others before a time limit, as `sbatch --signal` says.
ENDINGS = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def like_ctrl_c() -> None:
    """Let them raise KeyboardInterrupt, as Ctrl-C does, where they would end the process at once."""
    for number in ENDINGS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def held_back() -> Iterator[None]:
    """No handler in Python runs in between: those of signals that come run at the end.

    What a KeyboardInterrupt leaves half-made in Numba stays so in this process. Only the main thread runs handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: handler for number in signal.valid_signals() if callable(handler := signal.getsignal(number))}
    try:
        for number in handlers:
            signal.signal(number, lambda one, frame: came.append(one))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for one in came:
            signal.raise_signal(one)
