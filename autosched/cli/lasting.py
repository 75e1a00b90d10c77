"""Output that may go away while work goes on: a closed pipe, a lost terminal or a full disk ends no search."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from typing import Any, ParamSpec, TypeVar

Given = ParamSpec("Given")
Made = TypeVar("Made")


class _Lasting:
    """A stream that nobody may read any more: what cannot be written is dropped, from the first time on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return int(self._stream.write(text))
        except OSError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._drop()

    def _drop(self) -> None:
        """What the stream still holds, and all that comes, goes nowhere: Python flushes it once more when it ends."""
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def outlasting(command: Callable[Given, Made]) -> Callable[Given, Made]:
    """The command, which goes on and writes what it has found once its output is gone."""

    @functools.wraps(command)
    def run(*args: Given.args, **kwargs: Given.kwargs) -> Made:
        with redirect_stdout(_Lasting(sys.stdout)), redirect_stderr(_Lasting(sys.stderr)):
            return command(*args, **kwargs)

    return run
