"""Ctrl-C and the signals of batch systems between steps: what is being measured is finished and kept."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from autosched.signals import ENDINGS


class Interruption:
    """While it is open, the first Ctrl-C waits for the next `check`; the second is immediate.

    So does every one of `ENDINGS`, which are sent more than once as a rule. An exception in the middle of a step would
    cost that step, and where it hits a destructor or a callback of the garbage collector, Python prints it and goes
    on. Does nothing outside of the main thread, nor to signals that would not raise KeyboardInterrupt.
    """

    def __init__(self) -> None:
        self.asked = False
        self._pressed = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *ENDINGS):
                if signal.getsignal(number) is signal.default_int_handler:
                    self._previous[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            if self._pressed:
                raise KeyboardInterrupt
            self._pressed = True
        self.asked = True

    def check(self) -> None:
        """Raise KeyboardInterrupt where it was asked for."""
        if self.asked:
            raise KeyboardInterrupt
