"""Tuning: search until the budget is spent, play the final, make the record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from autosched.errors import TuneError
from autosched.records import Machine, Record, Search, Times, key_here, origin_here
from autosched.records.model import Interval
from autosched.schedule import Schedule
from autosched.threads import checked
from autosched.tune.bench import Bench, Job, Ready
from autosched.tune.candidate import TIMED, CandidateError
from autosched.tune.finals import Contender, Final, play
from autosched.tune.interrupt import Interruption
from autosched.tune.isolated import IsolatedBench
from autosched.tune.machine import State, Watch
from autosched.tune.measure import Estimate, Race
from autosched.tune.place import ended
from autosched.tune.polish import bare, neighbours, simplify
from autosched.tune.study import SIMPLIFIED, Outcome, Study, Trial
from autosched.tune.task import USUAL_BUDGET, USUAL_METHOD, Budget, Method, Task, study_name
from autosched.tune.titles import titles
from autosched.workload import Bucket

#: Seconds of each final and of the simplification where no time budget is given.
FINAL_SECONDS = 5.0
SIMPLIFY_SECONDS = 20.0
#: A candidate this close to the best is timed again, for longer.
PROMISING = 1.1
#: Of how many of the best points the neighbours are tried.
POLISHED = 5
#: Schedules that trade time for memory which play in the final.
TRADED = 10


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
    study: str
    items: int
    machine: State

    def __str__(self) -> str:
        speedup = self.record.times.speedup.median
        return f"{self.final.winner.label} of {len(self.trials)} trials, {speedup:.2f} times as fast as the default"

    @property
    def schedule(self) -> Schedule:
        return self.record.schedule

    @property
    def titles(self) -> list[str]:
        """What the standings of the final are called; no two alike."""
        return titles(self.final.standings, self.trials)

    @property
    def only_named(self) -> bool:
        """Whether no point of the space was timed: only what comes with the pipeline, and records."""
        return not any(t.point is not None and t.outcome.kind in TIMED for t in self.trials)


class Interrupted(TuneError):  # noqa: N818 (an end, not a mistake)
    """The user stopped the run. Everything that was measured is in the study."""

    def __init__(self, trials: int, study: str) -> None:
        super().__init__(f"stopped after {trials} trials, all kept in {study}")
        self.trials = trials
        self.study = study


def tune(
    task: Task,
    budget: Budget = USUAL_BUDGET,
    *,
    threads: int | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    directory: Path | None = None,
    method: Method = USUAL_METHOD,
    bench: Callable[[Job], Bench] | None = None,
    storage: str | None = None,
) -> Result:
    """Search for the fastest schedule of a task on this machine; goes on where an earlier run ended.

    Every candidate is checked bit for bit before it is timed. Nothing is written but the study: in `directory`, the
    user's state directory, or at the URL `storage` of a database that several tuners may share. `bench` makes what
    prepares and times candidates, by default a worker process, so that one that crashes or hangs costs a trial.

    Raises TuneError, and Interrupted on Ctrl-C.
    """
    count = checked(threads, error=TuneError)
    return _Run(task, budget, method, count, report, directory, bench or IsolatedBench, storage).run()


class _Run:
    """One run of `tune`, with what it keeps while it lasts."""

    def __init__(
        self,
        task: Task,
        budget: Budget,
        method: Method,
        threads: int,
        report: Callable[[Progress], None],
        directory: Path | None,
        bench: Callable[[Job], Bench],
        storage: str | None,
    ) -> None:
        self.task = task
        self.budget = budget
        self.threads = threads
        self.report = report
        self.directory = directory
        self.method = method
        self.begin = time.monotonic()
        self.watch = Watch()
        bucket = task.bucket or Bucket(task.workload.name, task.workload.measures)
        self.key = key_here(task.pipeline, bucket, threads)
        self.make_bench = bench
        self.storage = storage
        self.interruption = Interruption()

    def run(self) -> Result:
        task = self.task
        method = self.method
        name = study_name(task, self.key, method.regime)
        with Study(
            task.pipeline.name,
            name,
            task.space,
            self.directory,
            method.seed,
            method.sampler,
            method.effort.startup,
            self.storage,
        ) as study:
            resumed = study.finished
            job = Job(task.pipeline, task.workload, self.threads, task.schedules["default"], method.regime)
            self.bench = self.make_bench(job)
            try:
                with self.interruption:
                    self.start(study)
                    exhausted = self.search(study)
                    final = self.shortened(study, self.final(study))
                    self.interruption.check()
            except (SQLAlchemyError, StorageInternalError) as error:
                raise ended(study.where, error) from error
            except KeyboardInterrupt:
                raise Interrupted(study.finished, study.where) from None
            finally:
                self.bench.close()
            state = self.watch.state()
            record = self.record(study, final, state)
            trials = tuple(study.trials)
            return Result(record, final, trials, resumed, exhausted, study.where, task.workload.items, state)

    def start(self, study: Study) -> None:
        """Prepare the checks, the default, what comes with the pipeline, the seeds, and the best of earlier runs."""
        self.say("check", study)
        schedule = self.task.schedules["default"]
        self.default = self.bench.start()
        self.best, self.best_ratio, self.best_label = self.default, 1.0, "default"
        self.best_seconds = self.default_seconds = self.bench.seconds(self.default)
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
            study.add("default", schedule, Outcome("ok", 1.0, source=self.default.source, memory=self.default.memory))
        for name, named in {**self.task.schedules, **self.task.seeds}.items():
            if study.known(named) is None:
                study.add(name, named, self.attempt(named, study, name))
                self.say("search", study)
        study.enqueue(self.task.space.default(self.task.bucket.name if self.task.bucket else None))
        for point in self.task.space.named.values():
            study.enqueue(point)

    def search(self, study: Study) -> bool:
        """Try points until the budget is spent. Returns whether every point has been tried."""
        while not self.spent(study):
            if self.polishing(study):
                self.enqueue_neighbour(study)
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
        return seconds is not None and self.elapsed() >= self.method.effort.search(seconds)

    def polishing(self, study: Study) -> bool:
        """Whether the end of the search is near, where points next to the best ones are tried."""
        done = [0.0]
        if self.budget.trials is not None:
            done.append(study.finished / self.budget.trials)
        if self.budget.seconds is not None:
            done.append(self.elapsed() / self.method.effort.search(self.budget.seconds))
        return max(done) >= 1 - self.method.effort.polish

    def enqueue_neighbour(self, study: Study) -> None:
        """Propose a point next to the best that has not been tried: to the very best first."""
        for trial in study.fastest()[:POLISHED]:
            if trial.point is not None:
                fresh = (p for p in neighbours(self.task.space, trial.point) if not study.seen(p))
                for point in fresh:
                    study.enqueue(point)
                    return

    def elapsed(self) -> float:
        return self.budget.spent + time.monotonic() - self.begin

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
            message, took = f"the same code as trial {same.number}", time.monotonic() - begin
            return replace(same.outcome, kind="duplicate", message=message, seconds=took)
        first = self.race(ready)
        if first.gave_up:
            ratio = first.ratio * self.best_ratio
            return Outcome("slow", ratio, "", time.monotonic() - begin, ready.source, ready.memory)
        result = self.race(ready, seconds=1.0, least=5) if first.ratio < PROMISING else first
        ratio = result.ratio * self.best_ratio
        if result.ratio < 1.0:
            self.best, self.best_ratio, self.best_label = ready, ratio, label
            self.best_seconds = float(np.median(result.candidate))
        self.bench.keep([self.default, self.best])
        return Outcome("ok", ratio, "", time.monotonic() - begin, ready.source, ready.memory)

    def race(self, ready: Ready, seconds: float = 0.3, least: int = 3) -> Race:
        """Against the best so far; where that is what fails, it is the best no more."""
        try:
            return self.bench.race(ready, self.best, seconds=seconds, least=least)
        except CandidateError as error:
            if error.entered == 0 or self.best is self.default:
                raise
            self.best, self.best_ratio, self.best_label = self.default, 1.0, "default"
            self.best_seconds = self.default_seconds
            return self.bench.race(ready, self.best, seconds=seconds, least=least)

    def final(self, study: Study) -> Final:
        """The fastest few of the study against the default; where memory counts too, those that trade time for it."""
        timed = [t for t in study.fastest() if t.outcome.source != self.default.source]
        most = self.method.effort.finalists
        if self.method.sampler == "nsga2":
            traded = study.trade_offs()[:TRADED]
            timed = [*traded, *(t for t in timed if t not in traded)]
            most += len(traded)
        contenders: list[Contender] = []
        sources = {self.default.source}
        for trial in timed:
            if len(contenders) == most:
                break
            try:
                ready = self.bench.prepare(trial.schedule)
            except CandidateError:
                continue
            if ready.source not in sources:
                sources.add(ready.source)
                contenders.append(Contender(trial.name or f"trial {trial.number}", ready))
        return self.play(study, contenders)

    def shortened(self, study: Study, final: Final) -> Final:
        """The winner without what buys nothing plays another final against it; ties go to the simpler."""
        seconds = SIMPLIFY_SECONDS
        if self.budget.seconds is not None:
            seconds = self.method.effort.simplify * self.budget.seconds
        end = self.elapsed() + min(seconds, max(self.elapsed(), SIMPLIFY_SECONDS))  # a short one after a short search

        def over() -> bool:
            self.say("simplify", study)
            return self.elapsed() >= end

        self.say("simplify", study)  # also where the winner has no directive that could go
        winner = Contender(final.winner.label, self.bench.prepare(final.winner.schedule))
        shorter = bare(self.task.pipeline, self.bench, winner.ready, over)
        if shorter is not winner.ready:  # the same code, which needs no other times
            winner = Contender(winner.label + SIMPLIFIED, shorter)
            self.note(study, winner, final.winner.speedup.median)
            standing = replace(final.winner, label=winner.label, schedule=winner.schedule)
            final = replace(final, standings=(standing, *final.standings))
        simpler = simplify(self.task.pipeline, self.bench, winner.ready, over)
        if simpler is winner.ready:
            return final
        entering = [Contender(winner.label + SIMPLIFIED, simpler)]
        self.note(study, entering[0], final.winner.speedup.median)
        if winner.label != "default":
            entering.append(winner)
        again = self.play(study, entering)
        entered = {s.label for s in again.standings}
        # the machine may have another speed by now: what played before is told on the scale of the default's new time
        scale = again.default.seconds.median / final.default.seconds.median
        before = [replace(s, seconds=s.seconds.scaled(scale)) for s in final.standings if s.label not in entered]
        return replace(again, standings=(*again.standings, *before))

    def note(self, study: Study, simplified: Contender, speedup: float) -> None:
        """Keep in the study what the winner was simplified to."""
        ready = simplified.ready
        if study.known(ready.schedule) is None:
            study.add(simplified.label, ready.schedule, Outcome("ok", 1 / speedup, "", 0.0, ready.source, ready.memory))

    def play(self, study: Study, contenders: list[Contender]) -> Final:
        seconds = FINAL_SECONDS
        if self.budget.seconds is not None:
            share = self.method.effort.final * self.budget.seconds / 2
            seconds = max(
                min(share, max(self.elapsed(), FINAL_SECONDS)), 1.0
            )  # nor is the final longer than the search
        default = Contender("default", self.default)
        return play(self.bench, default, contenders, seconds=seconds, progress=lambda _: self.say("final", study))

    def record(self, study: Study, final: Final, state: State) -> Record:
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
                conditions=self.method.regime,
            ),
            times=Times(
                schedule=interval(final.winner.seconds.scaled(scale)),
                default=interval(final.default.seconds.scaled(scale)),
                speedup=interval(final.winner.speedup),
                noise=round(final.noise, 4),
            ),
            origin=origin_here(),
            machine=Machine(**asdict(state)),
        )

    def say(self, stage: str, study: Study, last: Trial | None = None) -> None:
        self.interruption.check()
        if stage == "check":
            self.report(Progress(stage, study.finished, self.elapsed(), 0.0, 1.0, "default"))
            return
        ms = 1e3 * self.best_seconds / self.task.workload.items
        speedup = 1.0 / self.best_ratio
        self.report(Progress(stage, study.finished, self.elapsed(), ms, speedup, self.best_label, last))


def interval(e: Estimate) -> Interval:
    """An estimate as records have it."""
    return Interval(median=round(e.median, 5), low=round(e.low, 5), high=round(e.high, 5))
