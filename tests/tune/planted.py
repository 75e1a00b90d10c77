"""A workload that plants failures where it arrives: in a worker process, candidates misbehave by their lanes."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

from autosched.lang import Pipeline
from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.tune import candidate
from autosched.workload import Workload

#: What a candidate does, by the lanes that it vectorizes blur in.
PLANTED = {2: "fine", 4: "crashes", 8: "hangs", 16: "eats memory", 32: "is wrong", 64: "hangs the compiler"}


@dataclass(frozen=True, eq=False)
class Planted(Workload):
    """The same workload to look at."""

    def __reduce__(self) -> Any:
        return arrive, (self.name, self.bindings, self.checks)


def arrive(name: str, bindings: Any, checks: Any) -> Workload:
    """Unpickled: plant the failures here."""
    compile_kernel, first_difference = candidate.compile_kernel, candidate.first_difference

    def compiled(pipeline: Pipeline, schedule: Schedule) -> Kernel:
        if doing(schedule) == "hangs the compiler":
            ctypes.CDLL(None).pause()
        return compile_kernel(pipeline, schedule)

    def checked(kernel: Kernel, checks: Any, threads: Any) -> str | None:
        what = doing(kernel.schedule)
        if what == "crashes":
            ctypes.string_at(0)
        elif what == "hangs":
            while True:
                pass
        elif what == "eats memory":
            held = []
            while True:
                held.append(bytearray(b"x" * (16 << 20)))
        elif what == "is wrong":
            checks = [candidate.Check(checks[0].binding, checks[0].expected + 1)]
        return first_difference(kernel, checks, threads)

    candidate.compile_kernel, candidate.first_difference = compiled, checked  # type: ignore[assignment]
    return Workload(name, bindings, checks=checks)


def doing(schedule: Schedule) -> str:
    """What a candidate of this schedule does."""
    lanes = [x.lanes for x in schedule.funcs.get("blur", ()) if x.op == "vectorize"]  # type: ignore[attr-defined]
    return PLANTED[lanes[0]] if lanes else "fine"
