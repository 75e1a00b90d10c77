"""A run of `tune` while it lasts: all that it works with, the time that it has had, and its reports of progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from autosched.tune.bench import Bench
from autosched.tune.incumbent import Incumbent
from autosched.tune.interrupt import Interruption
from autosched.tune.study import Study, Trial
from autosched.tune.task import Budget, Method, Task


@dataclass(frozen=True)
class Progress:
    """Where a run is. Times are milliseconds per item of the workload."""

    stage: str
    trials: int
    elapsed: float
    best_ms: float
    best_speedup: float
    best_label: str
    last: Trial | None = None


@dataclass(frozen=True, eq=False)
class Session:
    """A run with its study and its bench open. `begin` is when it started, on the clock of `time.monotonic`."""

    task: Task
    budget: Budget
    method: Method
    study: Study
    bench: Bench
    report: Callable[[Progress], None]
    interruption: Interruption
    begin: float

    def elapsed(self) -> float:
        """Seconds of the budget that are gone, those of a run that this one continues included."""
        return self.budget.spent + time.monotonic() - self.begin

    def say(self, stage: str, best: Incumbent | None = None, last: Trial | None = None) -> None:
        """Report progress between two steps, or raise KeyboardInterrupt where the user asked for the end.

        `best` is None as long as nothing has been timed, `last` a trial that has just been finished.
        """
        self.interruption.check()
        ms, speedup, label = 0.0, 1.0, "default"
        if best is not None:
            ms, speedup, label = 1e3 * best.seconds / self.task.workload.items, best.speedup, best.label
        self.report(Progress(stage, self.study.finished, self.elapsed(), ms, speedup, label, last))
