"""Whether a kernel computes exactly what its algorithm means: bit for bit, against the interpreter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autosched.errors import TuneError
from autosched.lang import Pipeline, interpret
from autosched.runtime import Kernel
from autosched.workload import Binding, Workload

Array = np.ndarray[Any, Any]

#: Bytes of inputs and outputs for which the interpreter is asked, about a second's worth; what is larger is checked
#: against a kernel that has passed.
INTERPRETED = 4 << 20
#: Bytes of expected outputs that are kept.
KEPT = 256 << 20
#: What an output is filled with before a kernel runs, so that elements it forgets are noticed.
_POISON = 0xA5


@dataclass(frozen=True, eq=False)
class Check:
    """A call and the output that it must have."""

    binding: Binding
    expected: Array


def plan_checks(pipeline: Pipeline, workload: Workload, trusted: Kernel) -> tuple[Check, ...]:
    """What every candidate is checked on: the workload's own checks, and its calls of different shapes.

    Expected outputs come with the binding or from the interpreter; those of calls too large for it from `trusted`,
    a kernel, once it has passed all the others. Raises TuneError where it has not.
    """
    distinct = {_shapes(b): b for b in reversed((*workload.checks(), *workload.bindings))}
    calls = sorted(distinct.values(), key=lambda b: _bytes(pipeline, b))
    checks: list[Check] = []
    passed = interpreted = 0
    kept = 0
    for binding in calls:
        output = int(np.prod(binding.shape)) * pipeline.output.type.bytes
        if checks and kept + output > KEPT:
            break
        if binding.expected is not None:
            expected = np.ascontiguousarray(binding.expected)
        elif not checks or interpreted + _bytes(pipeline, binding) <= INTERPRETED:
            interpreted += _bytes(pipeline, binding)
            expected = reference(pipeline, binding)
        else:
            if wrong := first_difference(trusted, checks[passed:], None):
                raise TuneError(f"the default schedule of {pipeline.name} does not compute its algorithm: {wrong}")
            passed = len(checks)
            expected = trusted(shape=binding.shape, **binding.given)
        checks.append(Check(binding, expected))
        kept += output
    return tuple(checks)


def reference(pipeline: Pipeline, binding: Binding) -> Array:
    """What the interpreter says."""
    inputs = {name: binding.given[name] for name in pipeline.inputs}
    params = {name: binding.given[name] for name in pipeline.params}
    return interpret(pipeline, binding.shape, inputs, params)


def _shapes(binding: Binding) -> tuple[Any, ...]:
    arrays = sorted((n, a.shape, a.strides) for n, a in binding.given.items() if isinstance(a, np.ndarray))
    return (binding.shape, *arrays)


def _bytes(pipeline: Pipeline, binding: Binding) -> int:
    read = sum(a.nbytes for a in binding.given.values() if isinstance(a, np.ndarray))
    return read + int(np.prod(binding.shape)) * pipeline.output.type.bytes


def first_difference(kernel: Kernel, checks: Sequence[Check], threads: int | None) -> str | None:
    """What is wrong with the first output that is; None where all bits agree."""
    for check in checks:
        out = np.empty(check.expected.shape, check.expected.dtype)
        out.reshape(-1).view(np.uint8)[...] = _POISON
        kernel(out=out, threads=threads, **check.binding.given)
        if wrong := difference(check.expected, out):
            return wrong
    return None


def difference(expected: Array, got: Array) -> str | None:
    """How two arrays differ in dtype, shape or any bit; None where they do not."""
    if expected.dtype != got.dtype or expected.shape != got.shape:
        return f"it is {got.dtype} {list(got.shape)}, expected {expected.dtype} {list(expected.shape)}"
    a, b = (np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in (expected, got))
    if np.array_equal(a, b):
        return None
    wrong = np.flatnonzero((a != b).reshape(-1, expected.dtype.itemsize).any(axis=1))
    at = tuple(int(i) for i in np.unravel_index(int(wrong[0]), expected.shape))
    share = 100 * len(wrong) / expected.size
    return (
        f"{len(wrong)} of {expected.size} elements ({share:.3g} %) differ, the first at {list(at)}: "
        f"{got[at]!r}, expected {expected[at]!r}"
    )
