"""A Bench of invented times, for tests of what a search does when it is killed: nothing is compiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import blur_family

from autosched.schedule import Schedule
from autosched.tune import Budget, Method, Progress, Task, run, tune
from autosched.tune.bench import Job, Ready
from autosched.tune.candidate import CandidateError, schedule_id
from autosched.tune.measure import Race
from autosched.tune.space import Knob, Ref, Space, Template

#: 60 schedules. The best unrolls 8 times in 16 lanes; each fifth one crashes.
SPACE = Space(
    "synthetic",
    (Knob("factor", tuple(range(1, 13)), 1), Knob("lanes", (2, 4, 8, 16, 32), 2)),
    (),
    (
        Template("blur", "vectorize", (("var", "x"), ("lanes", Ref("lanes")))),
        Template("blur", "unroll", (("var", "y"), ("factor", Ref("factor")))),
    ),
)


def seconds_of(schedule: Schedule) -> float:
    """The invented time of a schedule; the default's is 1. Raises CandidateError for some."""
    items = {x.op: x for x in schedule.funcs.get("blur", ())}
    if "unroll" not in items or "vectorize" not in items:
        return 1.0
    factor, lanes = items["unroll"].factor, items["vectorize"].lanes  # type: ignore[attr-defined]
    if (factor * 7 + lanes) % 5 == 0:
        raise CandidateError("crash", "as planned")
    return float(0.2 + abs(factor - 8.1) / 60 + abs(lanes.bit_length() - 5) / 10)


class Synthetic:
    """See Bench. Every step takes `pause` seconds."""

    def __init__(self, job: Job, pause: float = 0.002) -> None:
        self.job = job
        self.pause = pause
        self.prepared = 0

    def start(self) -> Ready:
        return self.prepare(self.job.default)

    def prepare(self, schedule: Schedule) -> Ready:
        time.sleep(self.pause)
        self.prepared += 1
        seconds_of(schedule)
        return Ready(schedule, schedule_id(schedule))

    def seconds(self, ready: Ready) -> float:
        return seconds_of(ready.schedule)

    def race(self, candidate: Ready, rival: Ready, *, seconds: float = 0.3, least: int = 3) -> Race:
        time.sleep(self.pause)
        ours, theirs = seconds_of(candidate.schedule), seconds_of(rival.schedule)
        return Race((ours,) * least, (theirs,) * least, ours > 2 * theirs)

    def rounds(
        self,
        entered: Sequence[Ready],
        *,
        seconds: float,
        least: int,
        most: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[list[float]]:
        return [[seconds_of(ready.schedule)] * least for ready in entered]

    def keep(self, wanted: Sequence[Ready]) -> None:
        pass

    def close(self) -> None:
        pass


def search(directory: Path, log: Path, trials: int, storage: str | None = None, pause: float = 0.002) -> run.Result:
    """A run that writes a line to `log` once a trial is finished: its schedule and what became of it."""

    def report(progress: Progress) -> None:
        if progress.last is not None and progress.last.outcome.kind != "duplicate":
            with log.open("a") as file:
                file.write(f"{schedule_id(progress.last.schedule)} {progress.last.outcome.kind}\n")

    made = blur_family.workload(blur_family.specimens({"sizes": [[8, 9]]}), {})
    return tune(
        Task(blur_family.pipeline(), SPACE, made, {"default": Schedule()}),
        Budget(trials=trials, seconds=None),
        threads=1,
        report=report,
        directory=directory,
        method=Method(sampler="random"),
        bench=lambda job: Synthetic(job, pause),
        storage=storage,
    )
