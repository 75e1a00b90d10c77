"""The first Ctrl-C waits for the end of a step, the second does not."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from autosched.signals import ENDINGS, like_ctrl_c
from autosched.tune.interrupt import Interruption


def interrupt() -> None:
    """Press Ctrl-C, and wait for it to arrive."""
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """Whatever runs the tests, Ctrl-C does what it does in a terminal, and not while garbage is collected.

    Python prints and drops what is raised in a callback of the collector.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.disable()
    yield
    gc.enable()
    signal.signal(signal.SIGINT, before)


def test_the_first_waits() -> None:
    with Interruption() as interruption:
        interruption.check()
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interruption.check()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_does_not() -> None:
    with Interruption():
        interrupt()
        with pytest.raises(KeyboardInterrupt):
            interrupt()
    with pytest.raises(KeyboardInterrupt):
        interrupt()


@pytest.mark.parametrize("number", ENDINGS, ids=[s.name for s in ENDINGS])
def test_signals_of_batch_systems_wait_too(number: signal.Signals) -> None:
    """However often they come; a Ctrl-C after them is still the first."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        like_ctrl_c()
        with Interruption() as interruption:
            for sent in (number, number, signal.SIGINT):
                os.kill(os.getpid(), sent)
                for _ in range(1000):
                    pass
            with pytest.raises(KeyboardInterrupt):
                interruption.check()
        assert signal.getsignal(number) is signal.default_int_handler
        signal.signal(number, signal.SIG_IGN)
        like_ctrl_c()
        with Interruption():
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_other_handlers_and_threads_are_left_alone() -> None:
    own = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, own)
    seen = []

    def elsewhere() -> None:
        with Interruption():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
