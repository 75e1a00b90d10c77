"""Calls that come again, in few steps of Python.

After whatever ran before, each step finds its code and its objects out of the caches, and takes microseconds: the steps
of binding and dealing anew took as long as half of a small image's kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from ctypes import Array as Words
from ctypes import addressof, c_int64
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from autosched.runtime.kernel import Call, dealt_ranges
from autosched.runtime.pool import lent
from autosched.runtime.team import Ranges
from autosched.runtime.template import Template


class Replay:
    """The calls of a template that lacks one input, with a new output each. Safe to use from many threads."""

    __slots__ = ("_arguments", "_dtype", "_frame", "_nbytes", "_reads", "_shape", "_stages", "_writes")

    def __init__(self, template: Template, shape: tuple[int, ...], dtype: np.dtype[Any], threads: int) -> None:
        """The output is C-contiguous memory, as an array of `shape`; at most `threads` threads compute it.

        The template's calls have no memory of their own: no `roots` are in its frame.
        """
        frame = self._frame = template.frame
        assert not frame.roots
        self._arguments = frame.arguments
        self._writes = [(word.slot, word.offset) for word in frame.array_arguments if word.array == template.output]
        self._reads = [(word.slot, word.offset) for word in frame.array_arguments if word.array != template.output]
        self._shape, self._dtype, self._nbytes = shape, dtype, math.prod(shape) * dtype.itemsize
        self._stages = []
        call = self._call(frame.arguments, np.empty(0, dtype))
        for stage, iterations in enumerate(frame.iterations):
            entry = frame.built.addresses[stage]
            ranges = [(first, last) for _, first, last in dealt_ranges([call], stage, threads)]
            if len(ranges) > 1:
                self._stages.append((stage, Ranges(entry, ranges, threads).run))
            elif ranges:
                self._stages.append((stage, partial(_run_all, frame.built.enter, entry, iterations)))

    def run(self, address: int) -> npt.NDArray[Any]:
        """The output for the input at an address, whose geometry is that of the template."""
        out, begin = lent(self._shape, self._dtype, self._nbytes)
        arguments = type(self._arguments).from_buffer_copy(self._arguments)
        for slot, offset in self._reads:
            arguments[slot] = address + offset
        for slot, offset in self._writes:
            arguments[slot] = begin + offset
        where = addressof(arguments)
        for stage, run in self._stages:
            status = run(where)
            if status:
                self._call(arguments, out).fail(stage, status)
        return out

    def _call(self, arguments: Words[c_int64], out: npt.NDArray[Any]) -> Call:
        return Call(self._frame.built, arguments, self._frame.iterations, out, self._frame.keep)


def _run_all(enter: Callable[..., int], entry: int, iterations: int, arguments: int) -> int:
    """All iterations of a stage on this thread; its status."""
    return enter(entry, arguments, 0, iterations)
