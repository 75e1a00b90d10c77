"""From a schedule to something that can be timed, and what can go wrong on the way.

Candidates are prepared in this process. One that never ends or takes the process with it is for a worker process to
survive: it will implement the same two steps, prepare and race, on the other side of a pipe.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from autosched.errors import BindError, ScheduleError
from autosched.lang import Pipeline
from autosched.runtime import Call, Kernel, run_calls
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule
from autosched.tune.check import Array, Check, first_difference
from autosched.workload import Workload

#: How a trial ended. `ok` and `slow` were timed, `slow` not to the end; a `duplicate` was not timed again.
Kind = Literal["ok", "slow", "duplicate", "infeasible", "compile", "wrong", "crash", "timeout", "interrupted"]
TIMED: frozenset[Kind] = frozenset({"ok", "slow"})

#: Bytes of outputs that are written in turn; above, calls share theirs.
OUTPUTS = 1 << 30


class CandidateError(Exception):
    """A candidate that cannot be timed."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def schedule_id(schedule: Schedule) -> str:
    """A short hash of what a schedule says."""
    return hashlib.sha256(json.dumps(schedule.to_data(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A candidate that is right and ready to run. `source` is the same for schedules that make the same code."""

    schedule: Schedule
    calls: tuple[Call, ...] = field(repr=False)
    threads: int
    source: str

    def run(self) -> None:
        """The whole workload, once."""
        run_calls(self.calls, self.threads)


class Preparer:
    """Makes candidates of one workload. Owns the arrays that all of them write to."""

    def __init__(self, pipeline: Pipeline, workload: Workload, threads: int) -> None:
        self.pipeline = pipeline
        self.workload = workload
        self.threads = threads
        self.checks: Sequence[Check] = ()
        self.outputs = _outputs(pipeline, workload)

    def prepare(self, schedule: Schedule) -> Prepared:
        """Compile, check bit for bit, bind, and run once. Raises CandidateError."""
        try:
            kernel = compile_kernel(self.pipeline, schedule)
            calls = self._bind(kernel)
        except (ScheduleError, BindError) as error:
            raise CandidateError("infeasible", str(error)) from None
        except Exception as error:  # whatever the compiler does must cost one trial, not the search
            raise CandidateError("compile", f"{type(error).__name__}: {error}") from error
        try:
            wrong = first_difference(kernel, self.checks, self.threads)
            if wrong:
                raise CandidateError("wrong", wrong)
            prepared = Prepared(schedule, calls, self.threads, _source(calls))
            prepared.run()
        except (ScheduleError, BindError) as error:
            raise CandidateError("infeasible", str(error)) from None
        except CandidateError:
            raise
        except Exception as error:
            raise CandidateError("crash", f"{type(error).__name__}: {error}") from error
        return prepared

    def _bind(self, kernel: Kernel) -> tuple[Call, ...]:
        pairs = zip(self.workload.bindings, self.outputs, strict=True)
        return tuple(kernel.bind(out=out, **binding.given) for binding, out in pairs)


def _outputs(pipeline: Pipeline, workload: Workload) -> list[Array]:
    """An array for every call, each of its own until they are too large together; then one for each shape."""
    made: list[Array] = []
    of_shape: dict[tuple[int, ...], Array] = {}
    dtype = pipeline.output.type.dtype
    total = 0
    for binding in workload.bindings:
        size = int(np.prod(binding.shape)) * dtype.itemsize
        if total + size > OUTPUTS and binding.shape in of_shape:
            made.append(of_shape[binding.shape])
            continue
        total += size
        out = np.zeros(binding.shape, dtype)
        out.fill(0)  # faulted in now, not while the clock runs
        of_shape.setdefault(binding.shape, out)
        made.append(out)
    return made


def _source(calls: Sequence[Call]) -> str:
    names = sorted({call.built.path.name for call in calls})
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
