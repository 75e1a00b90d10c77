"""Runs a program under a schedule, and compares with the interpreter bit for bit."""

from __future__ import annotations

import ctypes

import numpy as np
from canaries import watched
from guarded import place
from kernels import same
from programs import Program

from autosched.errors import BindError, ScheduleError
from autosched.lang import Pipeline, interpret
from autosched.runtime import Kernel
from autosched.schedule import Schedule


def outcome(program: Program, pipeline: Pipeline, schedule: Schedule, threads: int) -> str:
    """What became of a case: equal, or refused as "schedule", "bind" or "fold". Anything else raises."""
    inputs = program.inputs()
    expected = interpret(pipeline, program.shape, inputs, program.params)
    out = place(np.zeros(program.shape, expected.dtype), program.out_layout)
    pattern = np.frombuffer(b"\xa5" * expected.dtype.itemsize, expected.dtype)[0]
    memory = _memory(out)
    memory[...] = 0xA5
    rounds = any(getattr(x, "tail", "") == "round_up" for xs in schedule.funcs.values() for x in xs)
    folds = any(x.op == "fold_storage" and x.factor for xs in schedule.funcs.values() for x in xs)
    try:
        with watched():
            kernel = Kernel(pipeline, schedule)
            call = kernel.bind(out=out, **inputs, **program.params)
    except ScheduleError:
        return "schedule"
    except BindError:
        if rounds:
            return "bind"
        raise
    try:
        with watched():
            call.run(threads)
    except ScheduleError:
        if folds:
            return "fold"
        raise
    if not same(out, expected):
        wrong = np.argwhere(np.asarray(out != expected))[:5].tolist()
        raise AssertionError(f"differs at {wrong}:\n{out}\nexpected\n{expected}")
    out[...] = pattern
    if expected.dtype.kind != "f" and not (memory == 0xA5).all() and expected.dtype.kind != "b":
        raise AssertionError("the kernel wrote between the elements of its output")
    return "equal"


def _memory(a: np.ndarray) -> np.ndarray:
    """All bytes from the first of `a` to its last."""
    lo = a.ctypes.data + sum(min((n - 1) * s, 0) for n, s in zip(a.shape, a.strides, strict=True))
    hi = a.ctypes.data + sum(max((n - 1) * s, 0) for n, s in zip(a.shape, a.strides, strict=True)) + a.itemsize
    raw = (ctypes.c_uint8 * (hi - lo)).from_address(lo)
    return np.frombuffer(raw, np.uint8)
