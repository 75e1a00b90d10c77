"""Tuning: search until the budget is spent, play the final, make the record."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

import autosched
from autosched.errors import TuneError
from autosched.lang import Pipeline
from autosched.records import Key, Origin, Record, Search, Times, key_here
from autosched.records.model import Interval
from autosched.runtime import default_threads
from autosched.schedule import Schedule
from autosched.tune.bench import Bench, Job, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.finals import Contender, Final, play
from autosched.tune.interrupt import Interruption
from autosched.tune.isolated import IsolatedBench
from autosched.tune.measure import Estimate, Race
from autosched.tune.space import Space
from autosched.tune.study import Outcome, Study, Trial
from autosched.workload import Bucket, Workload

#: How many of the fastest enter the final.
FINALISTS = 5
#: The share of a time budget that the final gets.
FINAL_SHARE = 0.2
#: Seconds of the final where no time budget is given.
FINAL_SECONDS = 5.0
#: A candidate this close to the best is timed again, for longer.
PROMISING = 1.1


@dataclass(frozen=True)
class Task:
    """What is tuned. `schedules` come with the pipeline; "default" is what the others are compared with."""

    pipeline: Pipeline
    space: Space
    workload: Workload
    schedules: Mapping[str, Schedule] = field(default_factory=lambda: {"default": Schedule()})
    bucket: Bucket | None = None


@dataclass(frozen=True)
class Budget:
    """When a run ends: so many schedules timed, by all runs of a study together, or so many seconds of this run."""

    trials: int | None = None
    seconds: float | None = 120.0

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise TuneError(f"the number of trials is {self.trials}; it must be at least 1")
        if self.seconds is not None and not self.seconds > 0:
            raise TuneError(f"the time budget is {self.seconds} s; it must be more than 0")


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


@dataclass(frozen=True)
class Result:
    """What a run found. `trials` are all of the study's, of this run and earlier ones."""

    record: Record
    final: Final
    trials: tuple[Trial, ...]
    resumed: int
    exhausted: bool
    study: Path
    items: int

    @property
    def schedule(self) -> Schedule:
        return self.record.schedule


class Interrupted(TuneError):  # noqa: N818 (an end, not a mistake)
    """The user stopped the run. Everything that was measured is in the study."""

    def __init__(self, trials: int, study: Path) -> None:
        super().__init__(f"stopped after {trials} trials, all kept in {study}")
        self.trials = trials
        self.study = study


def tune(
    task: Task,
    budget: Budget = Budget(),
    *,
    threads: int | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    directory: Path | None = None,
    seed: int | None = None,
    bench: Callable[[Job], Bench] | None = None,
) -> Result:
    """Search for the fastest schedule of a task on this machine; goes on where an earlier run ended.

    Every candidate is checked bit for bit before it is timed. Nothing is written but the study, in `directory` or the
    user's state directory. `bench` makes what prepares and times candidates: by default a worker process, so that one
    that crashes or hangs costs a trial. Raises TuneError, and Interrupted on Ctrl-C.
    """
    count = default_threads() if threads is None else threads
    if count < 1:
        raise TuneError(f"threads is {threads}; it must be at least 1")
    return _Run(task, budget, count, report, directory, seed, bench or IsolatedBench).run()


def study_name(task: Task, key: Key) -> str:
    """What must be equal for trials to be comparable: the study of a task on this machine."""
    parts = (
        task.pipeline.name,
        key.algorithm[:12],
        key.cpu.fingerprint().cpu_class,
        f"{key.threads} threads",
        f"{task.workload.name}-{shape_hash(task.workload)}",
        f"space {task.space.identity}",
        f"autosched {autosched.__version__}",
    )
    return " | ".join(parts)


def shape_hash(workload: Workload) -> str:
    """A short hash of the shapes, strides and types that a workload is made of."""
    described = [
        (b.shape, sorted((n, a.shape, a.strides, a.dtype.str) for n, a in b.given.items() if isinstance(a, np.ndarray)))
        for b in workload.bindings
    ]
    return hashlib.sha256(repr(described).encode()).hexdigest()[:8]


class _Run:
    """One run of `tune`, with what it keeps while it lasts."""

    def __init__(
        self,
        task: Task,
        budget: Budget,
        threads: int,
        report: Callable[[Progress], None],
        directory: Path | None,
        seed: int | None,
        bench: Callable[[Job], Bench],
    ) -> None:
        if "default" not in task.schedules:
            raise TuneError("a task needs a schedule called 'default', which the others are compared with")
        if not task.workload.bindings:
            raise TuneError(f"workload {task.workload.name} has no calls; nothing can be timed")
        self.task = task
        self.budget = budget
        self.threads = threads
        self.report = report
        self.directory = directory
        self.seed = seed
        self.begin = time.monotonic()
        bucket = task.bucket or Bucket(task.workload.name, task.workload.measures)
        self.key = key_here(task.pipeline, bucket, threads)
        self.make_bench = bench
        self.interruption = Interruption()

    def run(self) -> Result:
        task = self.task
        with Study(task.pipeline.name, study_name(task, self.key), task.space, self.directory, self.seed) as study:
            resumed = study.finished
            self.bench = self.make_bench(Job(task.pipeline, task.workload, self.threads, task.schedules["default"]))
            try:
                with self.interruption:
                    self.start(study)
                    exhausted = self.search(study)
                    final = self.final(study)
                    self.interruption.check()
            except KeyboardInterrupt:
                raise Interrupted(study.finished, study.path) from None
            finally:
                self.bench.close()
            record = self.record(study, final)
            return Result(record, final, tuple(study.trials), resumed, exhausted, study.path, task.workload.items)

    def start(self, study: Study) -> None:
        """Prepare the checks, the default, the schedules that come with the pipeline, and the best of earlier runs."""
        self.say("check", study)
        schedule = self.task.schedules["default"]
        self.default = self.bench.start()
        self.best, self.best_ratio, self.best_label = self.default, 1.0, "default"
        self.best_seconds = self.bench.seconds(self.default)
        best = study.best()
        if best is not None and best.outcome.ratio is not None and best.outcome.ratio < 1.0:
            try:
                ready = self.bench.prepare(best.schedule)
                self.best_seconds = self.bench.seconds(ready)
                self.best, self.best_ratio = ready, best.outcome.ratio
                self.best_label = best.name or f"trial {best.number}"
            except CandidateError:
                pass  # it was right once; the default still is
        if study.known(schedule) is None:
            study.add("default", schedule, Outcome("ok", 1.0, source=self.default.source))
        for name, named in self.task.schedules.items():
            if study.known(named) is None:
                study.add(name, named, self.attempt(named, study, name))
                self.say("search", study)
        study.enqueue(self.task.space.default())
        for point in self.task.space.named.values():
            study.enqueue(point)

    def search(self, study: Study) -> bool:
        """Try points until the budget is spent. Returns whether every point has been tried."""
        while not self.spent(study):
            proposal = study.propose()
            if proposal is None:
                return True
            outcome = self.attempt(proposal.schedule, study, f"trial {proposal.number}")
            self.say("search", study, study.finish(proposal, outcome))
        return False

    def spent(self, study: Study) -> bool:
        if self.budget.trials is not None and study.finished >= self.budget.trials:
            return True
        seconds = self.budget.seconds
        return seconds is not None and self.elapsed() >= seconds * (1 - FINAL_SHARE)

    def elapsed(self) -> float:
        return time.monotonic() - self.begin

    def attempt(self, schedule: Schedule, study: Study, label: str) -> Outcome:
        """Prepare a candidate and race it against the best so far, which it replaces where it is faster."""
        begin = time.monotonic()
        try:
            return self.measured(self.bench.prepare(schedule), study, label, begin)
        except CandidateError as error:
            return Outcome(error.kind, None, str(error), time.monotonic() - begin)

    def measured(self, ready: Ready, study: Study, label: str, begin: float) -> Outcome:
        same = study.by_source(ready.source)
        if same is not None:
            message = f"the same code as trial {same.number}"
            return Outcome("duplicate", same.outcome.ratio, message, time.monotonic() - begin, ready.source)
        first = self.race(ready)
        if first.gave_up:
            ratio = first.ratio * self.best_ratio
            return Outcome("slow", ratio, "", time.monotonic() - begin, ready.source)
        result = self.race(ready, seconds=1.0, least=5) if first.ratio < PROMISING else first
        ratio = result.ratio * self.best_ratio
        if result.ratio < 1.0:
            self.best, self.best_ratio, self.best_label = ready, ratio, label
            self.best_seconds = float(np.median(result.candidate))
        self.bench.keep([self.default, self.best])
        return Outcome("ok", ratio, "", time.monotonic() - begin, ready.source)

    def race(self, ready: Ready, seconds: float = 0.3, least: int = 3) -> Race:
        """Against the best so far; where that is what fails, it is the best no more."""
        try:
            return self.bench.race(ready, self.best, seconds=seconds, least=least)
        except CandidateError as error:
            if error.entered == 0 or self.best is self.default:
                raise
            self.best, self.best_ratio, self.best_label = self.default, 1.0, "default"
            return self.bench.race(ready, self.best, seconds=seconds, least=least)

    def final(self, study: Study) -> Final:
        """The fastest few of the study against the default."""
        timed = [t for t in study.trials if t.outcome.kind == "ok" and t.outcome.source != self.default.source]
        timed.sort(key=lambda t: t.outcome.ratio or 0.0)
        contenders: list[Contender] = []
        sources: set[str] = set()
        for trial in timed:
            if len(contenders) == FINALISTS:
                break
            try:
                ready = self.bench.prepare(trial.schedule)
            except CandidateError:
                continue
            if ready.source not in sources:
                sources.add(ready.source)
                contenders.append(Contender(trial.name or f"trial {trial.number}", ready))
        left = FINAL_SECONDS if self.budget.seconds is None else max(self.budget.seconds - self.elapsed(), 1.0)
        default = Contender("default", self.default)
        return play(self.bench, default, contenders, seconds=left, progress=lambda _: self.say("final", study))

    def record(self, study: Study, final: Final) -> Record:
        scale = 1e3 / self.task.workload.items
        return Record(
            key=self.key,
            schedule=final.winner.schedule,
            search=Search(
                trials=max(study.finished, 1),
                rounds=final.rounds,
                seconds=round(study.seconds, 1),
                space=self.task.space.identity,
                workload=self.task.workload.name,
            ),
            times=Times(
                schedule=_interval(final.winner.seconds.scaled(scale)),
                default=_interval(final.default.seconds.scaled(scale)),
                speedup=_interval(final.winner.speedup),
                noise=round(final.noise, 4),
            ),
            origin=Origin(
                when=datetime.now(UTC).replace(microsecond=0),
                python=platform.python_version(),
                numba=version("numba"),
                llvmlite=version("llvmlite"),
            ),
        )

    def say(self, stage: str, study: Study, last: Trial | None = None) -> None:
        self.interruption.check()
        if stage == "check":
            self.report(Progress(stage, study.finished, self.elapsed(), 0.0, 1.0, "default"))
            return
        ms = 1e3 * self.best_seconds / self.task.workload.items
        speedup = 1.0 / self.best_ratio
        self.report(Progress(stage, study.finished, self.elapsed(), ms, speedup, self.best_label, last))


def _interval(e: Estimate) -> Interval:
    return Interval(median=round(e.median, 5), low=round(e.low, 5), high=round(e.high, 5))
