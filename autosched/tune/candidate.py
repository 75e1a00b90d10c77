"""From a schedule to something that can be timed, and what can go wrong on the way.

Candidates are prepared in the process that this runs in, which `worker.py` makes one that can be killed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from autosched.errors import BindError, ScheduleError
from autosched.lang import Pipeline
from autosched.runtime import Call, Kernel, run_calls
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule
from autosched.tune.check import Array, Check, first_difference
from autosched.tune.regime import Regime, between, new_output
from autosched.tune.scratch import most_held
from autosched.workload import Workload

#: How a trial ended. `ok` and `slow` were timed, `slow` not to the end; a `duplicate` was not timed again.
Kind = Literal["ok", "slow", "duplicate", "infeasible", "compile", "wrong", "crash", "memory", "timeout"]
#: What a candidate goes through; a limit of time applies to each.
Phase = Literal["compile", "check", "run"]
TIMED: frozenset[Kind] = frozenset({"ok", "slow"})

#: Bytes of outputs that are written in turn; above, calls share theirs.
OUTPUTS = 1 << 30


class CandidateError(Exception):
    """A candidate that cannot be timed. `entered` is its place among those that were timed together."""

    def __init__(self, kind: Kind, message: str, entered: int = 0) -> None:
        super().__init__(message)
        self.kind = kind
        self.entered = entered


def schedule_id(schedule: Schedule) -> str:
    """A short hash of what a schedule says."""
    return hashlib.sha256(json.dumps(schedule.to_data(), sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A candidate that is right and ready to run.

    `source` is the same for schedules that make the same code; `memory` is how many bytes it needs beyond inputs and
    outputs: Funcs that are stored whole and packed tables, of all calls, and what each thread holds inside the loops.
    """

    schedule: Schedule
    calls: tuple[Call, ...] = field(repr=False)
    threads: int
    source: str
    memory: int = 0

    def run(self) -> None:
        """The whole workload, once."""
        run_calls(self.calls, self.threads)


class Preparer:
    """Makes candidates of one workload. Owns the arrays that all of them write to."""

    def __init__(self, pipeline: Pipeline, workload: Workload, threads: int, regime: Regime = "warm") -> None:
        self.pipeline = pipeline
        self.workload = workload
        self.threads = threads
        self.checks: Sequence[Check] = ()
        self.outputs = _outputs(pipeline, workload)
        self.between = between(regime, self.outputs)

    def prepare(self, schedule: Schedule, phase: Callable[[Phase], None] = lambda _: None) -> Prepared:
        """Compile, check bit for bit, bind, and run once. `phase` hears what begins. Raises CandidateError."""
        try:
            phase("compile")
            kernel = compile_kernel(self.pipeline, schedule)
            calls = self._bind(kernel)
        except (ScheduleError, BindError) as error:
            raise CandidateError("infeasible", str(error)) from None
        except MemoryError as error:
            raise CandidateError("memory", f"compiling it: {error or 'no memory'}") from error
        except Exception as error:  # whatever the compiler does must cost one trial, not the search
            raise CandidateError("compile", f"{type(error).__name__}: {error}") from error
        try:
            phase("check")
            wrong = first_difference(kernel, self.checks, self.threads)
            if wrong:
                raise CandidateError("wrong", wrong)
            prepared = Prepared(schedule, calls, self.threads, _source(calls))
            phase("run")
            # one thread holds the most where it takes all iterations of a stage
            each = most_held(lambda: run_calls(calls, 1))
            prepared = replace(prepared, memory=self._whole(calls) + self.threads * each)
        except (ScheduleError, BindError) as error:
            raise CandidateError("infeasible", str(error)) from None
        except CandidateError:
            raise
        except MemoryError as error:
            raise CandidateError("memory", str(error) or "no memory") from error
        except Exception as error:
            raise CandidateError("crash", f"{type(error).__name__}: {error}") from error
        return prepared

    def _whole(self, calls: Sequence[Call]) -> int:
        """Bytes that calls keep as long as they live, beyond what they are bound to."""
        bound = {id(a) for b in self.workload.bindings for a in b.given.values()} | {id(a) for a in self.outputs}
        kept = {id(a): a for call in calls for a in call.keep if id(a) not in bound}
        return sum(int(a.nbytes) for a in kept.values())

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
        out = new_output(binding.shape, dtype)
        of_shape.setdefault(binding.shape, out)
        made.append(out)
    return made


def _source(calls: Sequence[Call]) -> str:
    names = sorted({call.built.path.name for call in calls})
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
