"""The study: every trial of a search, in an Optuna storage, so that nothing that was measured is ever lost.

One study for each thing that is tuned; a second run with the same name goes on where the first one ended.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import optuna
from optuna.exceptions import StorageInternalError
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import SQLAlchemyError

from autosched.schedule import Schedule
from autosched.tune.candidate import TIMED, Kind, schedule_id
from autosched.tune.constraints import Point, Value
from autosched.tune.pareto import front
from autosched.tune.place import names, open_place, study_file, unusable
from autosched.tune.samplers import DRAWN, Sampler, directions, make
from autosched.tune.space import Space
from autosched.tune.suggest import parameters, suggest

#: Objective of a candidate that failed, for the sampler: log2 of its time over the default's.
FAILED = 10.0
#: And log2 of the bytes that it needs.
MOST_MEMORY = 40.0
#: Proposals that repeat what is known before a new point is drawn by chance.
PATIENCE = 4
#: The attribute of a trial that says which process works on it, and how many seconds that may take to appear.
OWNER, JUST = "owner", 60.0
#: Timed points without which nothing can be said about the importance of knobs.
LEAST_TRIALS = 16
#: Suffix of the label of a schedule that was simplified from another.
SIMPLIFIED = ", simplified"
#: Spaces up to this size are searched for the points that are left; in larger ones new points are found by chance.
LISTED = 20_000

optuna.logging.set_verbosity(optuna.logging.WARNING)


@dataclass(frozen=True)
class Outcome:
    """The end of a trial. `ratio` is its time over the default schedule's; None where it has none.

    `seconds` is what the trial took, `memory` the bytes that the candidate needed beyond inputs and outputs; see
    `candidate.Prepared`.
    """

    kind: Kind
    ratio: float | None = None
    message: str = ""
    seconds: float = 0.0
    source: str = ""
    memory: int = 0


@dataclass(frozen=True)
class Trial:
    """A finished trial, as the storage holds it: of a point, or of a schedule that came with the pipeline by a name."""

    number: int
    schedule: Schedule
    outcome: Outcome
    name: str = ""
    point: Point | None = None

    @property
    def label(self) -> str:
        """Its name, or its number where it has none."""
        return self.name or f"trial {self.number}"


@dataclass(frozen=True)
class StudyOptions:
    """Who proposes the points of a study.

    `startup` points are drawn by chance before the sampler learns: each with the same probability, where Optuna would
    draw knob by knob, and so mostly where few other knobs are active. A study can be continued with another sampler,
    but for nsga2, which has two objectives and studies of its own.
    """

    sampler: Sampler = "tpe"
    seed: int | None = None
    startup: int = 10


@dataclass(frozen=True)
class Proposal:
    """A point to try, as Optuna knows it."""

    number: int
    point: Point
    schedule: Schedule


class Study:
    """An open study. A context manager. In SQLite one process can have it open, in PostgreSQL many."""

    def __init__(
        self,
        file: str,
        name: str,
        space: Space,
        directory: Path | None = None,
        options: StudyOptions = StudyOptions(),
        storage: str | None = None,
    ) -> None:
        """Open or create study `name`: in `file` (a pipeline's name) of `directory`, or at the URL `storage`.

        Raises TuneError where the database cannot be used, or where another process works on a study in SQLite.
        """
        self.sampler = options.sampler
        self.name = full_name(name, options.sampler)
        self.space = space
        self._walk = space.points()
        proposer = make(options.sampler, options.seed, options.startup)
        self._rng = random.Random(options.seed)
        self._startup = options.startup
        self._repeats = 0
        self.place = open_place(file, self.name, directory, storage)
        self.trials: list[Trial] = []
        self._seen: dict[str, Trial] = {}
        self._points: set[str] = set()
        self._elsewhere: set[str] = set()
        self._numbers: set[int] = set()
        self._open: dict[int, optuna.Trial] = {}
        try:
            self._study = optuna.create_study(
                study_name=self.name,
                storage=self.place.storage,
                sampler=proposer,
                load_if_exists=True,
                directions=directions(options.sampler),
            )
            self._end_abandoned()
            self.refresh()
        except (SQLAlchemyError, StorageInternalError) as error:
            self.place.close()
            raise unusable(self.where, error) from None

    @property
    def where(self) -> str:
        """The database, for messages."""
        return self.place.where

    def __enter__(self) -> Study:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(
            SQLAlchemyError, StorageInternalError
        ):  # where the database is gone, they are ended later
            for number in list(self._open):
                self._study.tell(self._open.pop(number), state=TrialState.FAIL)
        self.place.close()

    def _end_abandoned(self) -> None:
        """Close the trials that a killed process left open; the sampler would avoid their neighbourhood for ever."""
        for t in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            owner = t.user_attrs.get(OWNER)
            if self.place.shared:
                if owner is None and t.datetime_start and (datetime.now() - t.datetime_start).total_seconds() < JUST:
                    continue  # its owner has yet to sign it
                if owner is not None and self.place.alive(owner):
                    continue
            with contextlib.suppress(ValueError):  # ended by its owner, or by another tuner, in between
                self._study.tell(t.number, state=TrialState.FAIL)

    def refresh(self) -> None:
        """Load what other tuners have finished."""
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            if frozen.number not in self._numbers and (trial := _loaded(frozen)) is not None:
                self._remember(trial)

    @property
    def finished(self) -> int:
        """The number of different schedules that have an outcome."""
        timed = (t for t in self.trials if t.outcome.kind != "duplicate" and not t.name.endswith(SIMPLIFIED))
        return len({schedule_id(t.schedule) for t in timed})

    @property
    def seconds(self) -> float:
        """Seconds that all trials took, of every run."""
        return sum(t.outcome.seconds for t in self.trials)

    def best(self) -> Trial | None:
        """The fastest trial that was timed to the end."""
        return next(iter(self.fastest()), None)

    def fastest(self) -> list[Trial]:
        """All trials that were timed to the end, the fastest first."""
        timed = [t for t in self.trials if t.outcome.kind == "ok" and t.outcome.ratio is not None]
        return sorted(timed, key=lambda t: t.outcome.ratio or math.inf)

    def trade_offs(self) -> list[Trial]:
        """The trials that no other beats in time and in memory, the fastest first."""
        return not_beaten(self.trials)

    def importances(self) -> dict[str, float]:
        """The share of each knob in what decides between fast and slow points (PED-ANOVA); empty for few trials.

        What constraints have left of a knob is a parameter of its own to Optuna; their shares are added.
        """
        timed = [t for t in self.trials if t.point is not None and t.outcome.ratio is not None]
        if len(timed) < LEAST_TRIALS or len({t.outcome.ratio for t in timed}) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        found: dict[str, float] = {}
        target = (lambda t: t.values[0]) if self.sampler == "nsga2" else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna's remarks on few trials are about its own code
            shares = optuna.importance.get_param_importances(self._study, evaluator=evaluator, target=target)
        for name, share in shares.items():
            knob = name.partition("[")[0]
            found[knob] = found.get(knob, 0.0) + share
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def known(self, schedule: Schedule) -> Trial | None:
        """The trial of a schedule, if it has one."""
        return self._seen.get(schedule_id(schedule))

    def by_source(self, source: str) -> Trial | None:
        """A timed trial whose schedule made the same code."""
        return next((t for t in self.trials if t.outcome.source == source and t.outcome.kind in TIMED), None)

    def seen(self, point: Point) -> bool:
        """Whether the point has an outcome."""
        return _text(point) in self._points

    def enqueue(self, point: Point) -> None:
        """Propose `point` before others."""
        if not self.seen(point):
            self._study.enqueue_trial(parameters(self.space, point), skip_if_exists=True)

    def propose(self) -> Proposal | None:
        """The next point whose schedule has no outcome yet; None where every point has been seen.

        Points that other tuners work on meanwhile are theirs.
        """
        if self.place.shared:
            self.refresh()
        while len(self._points | self._elsewhere) < self.space.count():
            drawn = self.sampler in DRAWN or len(self._points) < self._startup
            if (self._repeats >= PATIENCE or drawn) and not self._waiting():
                fresh = self._unseen()
                if fresh is None:
                    return None
                self._study.enqueue_trial(parameters(self.space, fresh))
            trial = self._study.ask()
            trial.set_user_attr(OWNER, self.place.owner)
            point = suggest(self.space, trial)
            schedule = self.space.schedule(point)
            self._open[trial.number] = trial
            proposal = Proposal(trial.number, point, schedule)
            if self._taken(trial):
                self._study.tell(self._open.pop(trial.number), state=TrialState.FAIL)
                self._elsewhere.add(_text(point))
                self._repeats += 1
                continue
            known = self.known(schedule)
            if known is None:
                self._repeats = 0
                return proposal
            self._repeats += 1
            again = replace(
                known.outcome, kind="duplicate", message=f"the schedule of trial {known.number}", seconds=0.0
            )
            self.finish(proposal, again)
        return None

    def _taken(self, trial: optuna.Trial) -> bool:
        """Whether another tuner, who is alive, works on the point of `trial` since earlier."""
        if not self.place.shared:
            return False
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        same = [t for t in running if t.number < trial.number and t.params == trial.params]
        return any(self.place.alive(t.user_attrs.get(OWNER, 0)) for t in same if t.number not in self._open)

    def _waiting(self) -> bool:
        """Whether points are enqueued."""
        return bool(self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def _unseen(self) -> dict[str, Value] | None:
        known = self._points | self._elsewhere
        if self.sampler == "brute":
            return next((p for p in self._walk if _text(p) not in known), None)
        if self.space.count() <= LISTED:
            left = [p for p in self.space.points() if _text(p) not in known]
            return self._rng.choice(left) if left else None
        drawn = (self.space.sample(self._rng) for _ in range(1000))
        return next((p for p in drawn if _text(p) not in known), None)

    def finish(self, proposal: Proposal, outcome: Outcome) -> Trial:
        """Record what became of a proposal."""
        made = Trial(proposal.number, proposal.schedule, outcome, point=proposal.point)
        trial = self._open.pop(proposal.number)
        for key, value in _attributes(made).items():
            trial.set_user_attr(key, value)
        for key, violation in _violations(outcome).items():
            trial.set_constraint(key, violation)
        self._study.tell(trial, self._values(outcome))
        return self._remember(made)

    def add(self, name: str, schedule: Schedule, outcome: Outcome) -> Trial:
        """Record a schedule that came with the pipeline and is no point of the space."""
        made = Trial(0, schedule, outcome, name)
        finished = create_trial(
            state=TrialState.COMPLETE,
            values=self._values(outcome),
            user_attrs=_attributes(made),
            constraints=_violations(outcome),
        )
        # `add_trial` does not say which number it has; other tuners may add theirs in between
        storage = self._study._storage
        added = storage.create_new_trial(self._study._study_id, template_trial=finished)
        return self._remember(replace(made, number=storage.get_trial_number_from_id(added)))

    def _values(self, outcome: Outcome) -> list[float]:
        time = FAILED if outcome.ratio is None else math.log2(outcome.ratio)
        memory = MOST_MEMORY if outcome.ratio is None else math.log2(1 + outcome.memory)
        return [time, memory][: len(directions(self.sampler))]

    def _remember(self, trial: Trial) -> Trial:
        self.trials.append(trial)
        self._numbers.add(trial.number)
        self._seen.setdefault(schedule_id(trial.schedule), trial)
        if trial.point is not None:
            self._points.add(_text(trial.point))
        return trial


@dataclass(frozen=True)
class Findings:
    """The contents of a study that nobody works on: its trials and the shares of its knobs; nothing where it is not."""

    trials: tuple[Trial, ...] = ()
    importances: dict[str, float] = field(default_factory=dict)


def read_study(file: str, name: str, space: Space, sampler: Sampler = "tpe", directory: Path | None = None) -> Findings:
    """The findings of a study in SQLite. Raises TuneError where a tuner works on it."""
    path = study_file(file, directory)
    if not path.exists() or full_name(name, sampler) not in names(path):
        return Findings()
    with Study(file, name, space, directory, StudyOptions(sampler)) as study:
        return Findings(tuple(study.trials), study.importances())


def full_name(name: str, sampler: Sampler) -> str:
    """Studies of two objectives are apart from those of one."""
    return name + " | time and memory" * (sampler == "nsga2")


def not_beaten(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that no other beats in time and in memory, the fastest first."""
    timed = [t for t in trials if t.outcome.kind == "ok" and t.outcome.ratio is not None]
    return front(timed, lambda t: (t.outcome.ratio or math.inf, t.outcome.memory))


def _violations(outcome: Outcome) -> dict[str, float]:
    """Failures are infeasible to the sampler, so that it learns to stay away; dropped trials it would not see."""
    return {"failed": float(outcome.ratio is None)}


def _text(point: Point) -> str:
    return json.dumps(dict(point), sort_keys=True)


def _attributes(trial: Trial) -> dict[str, Any]:
    """User attributes: two, because each is a write of its own; `result` has everything."""
    outcome = trial.outcome
    result = {
        "name": trial.name,
        "point": None if trial.point is None else dict(trial.point),
        "schedule": trial.schedule.to_data(),
        "kind": outcome.kind,
        "ratio": outcome.ratio,
        "message": outcome.message[:2000],
        "seconds": outcome.seconds,
        "source": outcome.source,
        "memory": outcome.memory,
    }
    return {"kind": outcome.kind, "result": result}


def _loaded(trial: FrozenTrial) -> Trial | None:
    """A trial from the storage; None where it was not finished."""
    a = trial.user_attrs.get("result")
    if trial.state != TrialState.COMPLETE or a is None:
        return None
    outcome = Outcome(a["kind"], a["ratio"], a["message"], a["seconds"], a["source"], a["memory"])
    return Trial(trial.number, Schedule.from_data(a["schedule"]), outcome, a["name"], a["point"])
