"""What is tuned, how it is searched for, and when that ends."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

import autosched
from autosched.errors import ScheduleError, TuneError
from autosched.lang import Pipeline
from autosched.records import Key
from autosched.schedule import Schedule
from autosched.tune.effort import PRESETS, Effort
from autosched.tune.regime import REGIMES, Regime
from autosched.tune.samplers import SAMPLERS, Sampler
from autosched.tune.space import Space
from autosched.workload import Bucket, Workload


@dataclass(frozen=True)
class Task:
    """What is tuned. `schedules` come with the pipeline; "default" is what the others are compared with.

    Where none has that name, it is the schedule of the space's default point. `seeds` are further schedules that are
    tried first, such as those of the nearest records.
    """

    pipeline: Pipeline
    space: Space
    workload: Workload
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    bucket: Bucket | None = None
    seeds: Mapping[str, Schedule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.workload, Workload):
            raise TuneError(
                f"the workload of a task is a {type(self.workload).__name__}; give a Workload: "
                "Workload(name, (Binding({'src': array}, shape),))"
            )
        if not self.workload.bindings:
            raise TuneError(f"workload {self.workload.name} has no calls; nothing can be timed")
        if not isinstance(self.space, Space):
            raise TuneError(
                f"the space of a task is a {type(self.space).__name__}; give a Space: load_space(...).space"
            )
        for binding in self.workload.bindings:
            self._check_names(binding.given)
        default = self._default()
        if "default" not in self.schedules:
            object.__setattr__(self, "schedules", {"default": default, **self.schedules})

    def _check_names(self, given: Collection[str]) -> None:
        """What calls are given must be what the pipeline takes."""
        missing, unknown = self.pipeline.unmatched(given)
        for what, names in (("is given", unknown), ("lacks", missing)):
            if names:
                wanted = ", ".join((*self.pipeline.inputs, *self.pipeline.params)) or "nothing"
                raise TuneError(
                    f"a call of workload {self.workload.name} {what} {', '.join(names)}; {self.pipeline.name} takes "
                    f"{wanted}"
                )

    def _default(self) -> Schedule:
        """The schedule of the space's default point.

        A space that is of another pipeline has no legal point, which would cost a search to find out.
        """
        funcs = [func.name for func in self.pipeline.funcs]
        for template in self.space.templates:
            if template.func not in funcs:
                raise TuneError(
                    f"search space {self.space.name} has directives for Func {template.func}, which pipeline "
                    f"{self.pipeline.name} does not have; it has {', '.join(funcs)}"
                )
        point = self.space.default(self.bucket.name if self.bucket else None)
        schedule = self.space.schedule(point)
        try:
            schedule.check(self.pipeline)
        except ScheduleError as error:
            raise TuneError(
                f"the default point of search space {self.space.name} is no schedule of {self.pipeline.name}: {error}"
            ) from None
        return schedule


#: Seconds of a run that is given no budget.
USUAL_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Budget:
    """When a run ends: so many schedules timed, by all runs of a study together, or so many seconds of this run.

    Where neither is given, after `USUAL_SECONDS`. `spent` seconds count as gone when it starts: where it continues a
    run that was killed.
    """

    trials: int | None = None
    seconds: float | None = None
    spent: float = 0.0

    def __post_init__(self) -> None:
        if self.trials is None and self.seconds is None:
            object.__setattr__(self, "seconds", USUAL_SECONDS)
        if self.trials is not None and self.trials < 1:
            raise TuneError(f"the number of trials is {self.trials}; it must be at least 1")
        if self.seconds is not None and not self.seconds > 0:
            raise TuneError(f"the time budget is {self.seconds} s; it must be more than 0")


@dataclass(frozen=True)
class Method:
    """How it is searched for: who proposes points, what is in the caches when the clock starts, how much effort."""

    sampler: Sampler = "tpe"
    regime: Regime = "warm"
    effort: Effort = PRESETS["quick"]
    seed: int | None = None

    def __post_init__(self) -> None:
        for what, value, known in (("sampler", self.sampler, SAMPLERS), ("regime", self.regime, REGIMES)):
            if value not in known:
                raise TuneError(f"there is no {what} {value!r}; there are {', '.join(known)}")


#: A run that is asked for nothing.
USUAL_BUDGET, USUAL_METHOD = Budget(), Method()


def study_name(task: Task, key: Key, regime: Regime = "warm") -> str:
    """What must be equal for trials to be comparable: the study of a task on this machine."""
    parts = (
        task.pipeline.name,
        key.algorithm[:12],
        key.cpu.fingerprint().cpu_class,
        f"{key.threads} threads",
        f"{task.workload.name}-{shape_hash(task.workload)}",
        f"space {task.space.identity}",
        f"autosched {autosched.__version__}",
        regime,
    )
    return " | ".join(parts)


def shape_hash(workload: Workload) -> str:
    """A short hash of the shapes, strides and types that a workload is made of."""
    described = [
        (b.shape, sorted((n, a.shape, a.strides, a.dtype.str) for n, a in b.given.items() if isinstance(a, np.ndarray)))
        for b in workload.bindings
    ]
    return hashlib.sha256(repr(described).encode()).hexdigest()[:8]
