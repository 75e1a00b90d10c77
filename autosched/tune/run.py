"""Tuning: search until the budget is spent, play the final, make the record."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import SQLAlchemyError

from autosched.errors import TuneError
from autosched.records import Key, Machine, Record, Times, key_here, origin_here
from autosched.records import Search as SearchRigor
from autosched.records.model import Interval
from autosched.schedule import Schedule
from autosched.threads import checked
from autosched.tune.bench import Bench, Job
from autosched.tune.candidate import TIMED
from autosched.tune.closing import Closing
from autosched.tune.finals import Final
from autosched.tune.interrupt import Interruption
from autosched.tune.isolated import IsolatedBench
from autosched.tune.machine import MachineState, Watch
from autosched.tune.measure import Estimate
from autosched.tune.place import ended
from autosched.tune.search import Search
from autosched.tune.session import Progress, Session
from autosched.tune.study import Study, StudyOptions, Trial
from autosched.tune.task import USUAL_BUDGET, USUAL_METHOD, Budget, Method, Task, study_name
from autosched.tune.titles import titles
from autosched.workload import Bucket


@dataclass(frozen=True)
class Result:
    """The outcome of a run. `trials` are all of the study's, of this run and earlier ones."""

    record: Record
    final: Final
    trials: tuple[Trial, ...]
    resumed: int
    exhausted: bool
    study: str
    items: int
    machine: MachineState

    def __str__(self) -> str:
        speedup = self.record.times.speedup.median
        return f"{self.final.winner.label} of {len(self.trials)} trials, {speedup:.2f} times as fast as the default"

    @property
    def schedule(self) -> Schedule:
        return self.record.schedule

    @property
    def titles(self) -> list[str]:
        """Titles of the standings of the final; no two alike."""
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
    begin, watch, interruption = time.monotonic(), Watch(), Interruption()
    key = key_here(task.pipeline, task.bucket or Bucket(task.workload.name, task.workload.measures), count)
    options = StudyOptions(method.sampler, method.seed, method.effort.startup)
    name = study_name(task, key, method.regime)
    with Study(task.pipeline.name, name, task.space, directory, options, storage) as study:
        resumed = study.finished
        job = Job(task.pipeline, task.workload, count, task.schedules["default"], method.regime)
        opened = (bench or IsolatedBench)(job)
        session = Session(task, budget, method, study, opened, report, interruption, begin)
        try:
            with interruption:
                search = Search(session)
                exhausted = search.run()
                closing = Closing(session, search.default, search.incumbent)
                final = closing.simplified(closing.final())
                interruption.check()
        except (SQLAlchemyError, StorageInternalError) as error:
            raise ended(study.where, error) from error
        except KeyboardInterrupt:
            raise Interrupted(study.finished, study.where) from None
        finally:
            opened.close()
        state = watch.state()
        record = _record(session, key, final, state)
        return Result(record, final, tuple(study.trials), resumed, exhausted, study.where, task.workload.items, state)


def _record(session: Session, key: Key, final: Final, state: MachineState) -> Record:
    task, study = session.task, session.study
    scale = 1e3 / task.workload.items
    return Record(
        key=key,
        schedule=final.winner.schedule,
        search=SearchRigor(
            trials=max(study.finished, 1),
            rounds=final.rounds,
            seconds=round(study.seconds, 1),
            space=task.space.identity,
            workload=task.workload.name,
            conditions=session.method.regime,
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


def interval(e: Estimate) -> Interval:
    """An estimate as records have it."""
    return Interval(median=round(e.median, 5), low=round(e.low, 5), high=round(e.high, 5))
