"""The search: schedules that come with a task first, then points of its space, until the budget is spent."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from autosched.schedule import Schedule
from autosched.tune.bench import Ready
from autosched.tune.candidate import CandidateError, Kind
from autosched.tune.incumbent import Incumbent
from autosched.tune.measure import Race
from autosched.tune.polish import neighbours
from autosched.tune.session import Session
from autosched.tune.study import Outcome

#: A candidate this close to the best is timed again, for longer.
PROMISING = 1.1
#: Of how many of the best points the neighbours are tried.
POLISHED = 5


class Search:
    """The search of a session. `incumbent` is its fastest candidate so far; every candidate is raced against it."""

    def __init__(self, session: Session) -> None:
        """Plan the checks, prepare the default and the best of earlier runs. Raises TuneError for a failing default."""
        self.session = session
        self.study = session.study
        self.bench = session.bench
        session.say("check")
        ready = self.bench.start()
        self.default = Incumbent(ready, 1.0, "default", self.bench.seconds(ready))
        self.incumbent = self._best_before() or self.default

    def run(self) -> bool:
        """Try schedules and points until the budget is spent. Returns whether every point has been tried."""
        self._try_named()
        while not self._spent():
            if self._polishing():
                self._enqueue_neighbour()
            proposal = self.study.propose()
            if proposal is None:
                return True
            outcome = self._attempt(proposal.schedule, f"trial {proposal.number}")
            self.session.say("search", self.incumbent, self.study.finish(proposal, outcome))
        return False

    def _best_before(self) -> Incumbent | None:
        """The best of earlier runs, where it is faster than the default and still works."""
        best = self.study.best()
        if best is None or best.outcome.ratio is None or best.outcome.ratio >= 1.0:
            return None
        try:
            ready = self.bench.prepare(best.schedule)
            return Incumbent(ready, best.outcome.ratio, best.label, self.bench.seconds(ready))
        except CandidateError:
            return None  # it was right once; the default still is

    def _try_named(self) -> None:
        """Try what comes with the pipeline and the seeds, then enqueue the default point and the named ones."""
        task, default = self.session.task, self.default.ready
        if self.study.known(default.schedule) is None:
            outcome = Outcome("ok", 1.0, source=default.source, memory=default.memory)
            self.study.add("default", default.schedule, outcome)
        for name, schedule in {**task.schedules, **task.seeds}.items():
            if self.study.known(schedule) is None:
                self.study.add(name, schedule, self._attempt(schedule, name))
                self.session.say("search", self.incumbent)
        self.study.enqueue(task.space.default(task.bucket.name if task.bucket else None))
        for point in task.space.named.values():
            self.study.enqueue(point)

    def _spent(self) -> bool:
        budget = self.session.budget
        if budget.trials is not None and self.study.finished >= budget.trials:
            return True
        return budget.seconds is not None and self.session.elapsed() >= self._seconds(budget.seconds)

    def _polishing(self) -> bool:
        """Whether the end of the search is near, where points next to the best ones are tried."""
        budget = self.session.budget
        done = [0.0]
        if budget.trials is not None:
            done.append(self.study.finished / budget.trials)
        if budget.seconds is not None:
            done.append(self.session.elapsed() / self._seconds(budget.seconds))
        return max(done) >= 1 - self.session.method.effort.polish

    def _seconds(self, budget: float) -> float:
        """The part of a time budget after which the search is over."""
        return self.session.method.effort.search(budget)

    def _enqueue_neighbour(self) -> None:
        """Propose a point next to the best that has not been tried: to the very best first."""
        for trial in self.study.fastest()[:POLISHED]:
            if trial.point is not None:
                fresh = (p for p in neighbours(self.session.task.space, trial.point) if not self.study.seen(p))
                for point in fresh:
                    self.study.enqueue(point)
                    return

    def _attempt(self, schedule: Schedule, label: str) -> Outcome:
        """Prepare a candidate and race it against the incumbent, which it replaces where it is faster."""
        begin = time.monotonic()
        try:
            outcome = self._measured(self.bench.prepare(schedule), label)
        except CandidateError as error:
            outcome = Outcome(error.kind, message=str(error))
        return replace(outcome, seconds=time.monotonic() - begin)

    def _measured(self, ready: Ready, label: str) -> Outcome:
        same = self.study.by_source(ready.source)
        if same is not None:
            return replace(same.outcome, kind="duplicate", message=f"the same code as trial {same.number}")
        race = self._race(ready)
        if race.gave_up:
            return self._outcome("slow", ready, race)
        if race.ratio < PROMISING:
            race = self._race(ready, seconds=1.0, least=5)
        outcome = self._outcome("ok", ready, race)
        if race.ratio < 1.0:
            seconds = float(np.median(race.candidate))
            self.incumbent = Incumbent(ready, race.ratio * self.incumbent.ratio, label, seconds)
        self.bench.keep([self.default.ready, self.incumbent.ready])
        return outcome

    def _outcome(self, kind: Kind, ready: Ready, race: Race) -> Outcome:
        """The outcome of a race against the incumbent: the ratio to the default is the product of those on the way."""
        return Outcome(kind, race.ratio * self.incumbent.ratio, source=ready.source, memory=ready.memory)

    def _race(self, ready: Ready, seconds: float = 0.3, least: int = 3) -> Race:
        """Against the incumbent; where that is what fails, the default takes its place."""
        try:
            return self.bench.race(ready, self.incumbent.ready, seconds=seconds, least=least)
        except CandidateError as error:
            if error.entered == 0 or self.incumbent is self.default:
                raise
            self.incumbent = self.default
            return self.bench.race(ready, self.default.ready, seconds=seconds, least=least)
