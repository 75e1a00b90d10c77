"""What a search needs of whatever prepares and times candidates: a Bench. The plainest one works in this process.

Others: `isolated.py` does it in a worker process that can be killed, `recording.py` looks up what was measured before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from autosched.errors import TuneError
from autosched.lang import Pipeline
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule
from autosched.tune.candidate import CandidateError, Kind, Phase, Prepared, Preparer, schedule_id
from autosched.tune.check import Check, plan_checks
from autosched.tune.measure import Race, clock, race, rounds
from autosched.tune.regime import Regime
from autosched.workload import Workload


@dataclass(frozen=True, eq=False)
class Job:
    """What candidates are made of and timed on. `default` is the schedule that is known to be right."""

    pipeline: Pipeline
    workload: Workload
    threads: int
    default: Schedule
    regime: Regime = "warm"

    def portable(self) -> Job:
        """The same without functions, which other processes may not have: further checks are made now."""
        checks = self.workload.checks()
        return replace(self, workload=replace(self.workload, checks=partial(tuple, checks)))


@dataclass(frozen=True)
class Ready:
    """A candidate that is right and can be timed.

    `source` is the same for schedules that make the same code; `memory` the bytes that it needs beyond inputs and
    outputs, see `candidate.Prepared`.
    """

    schedule: Schedule
    source: str
    memory: int = 0


class Bench(Protocol):
    """Prepares and times candidates. All methods but `close` raise CandidateError where a candidate fails."""

    def start(self) -> Ready:
        """Plan the checks and prepare the default. Raises TuneError where that cannot be."""

    def prepare(self, schedule: Schedule) -> Ready:
        """Compile, check bit for bit, and run once."""

    def seconds(self, ready: Ready) -> float:
        """How long one run takes."""

    def race(self, candidate: Ready, rival: Ready, *, seconds: float = 0.3, least: int = 3) -> Race:
        """Time two in turns."""

    def rounds(
        self,
        entered: Sequence[Ready],
        *,
        seconds: float,
        least: int,
        most: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[list[float]]:
        """Time all, each once a round."""

    def keep(self, wanted: Sequence[Ready]) -> None:
        """Forget all others; they are prepared anew when they are asked for again."""

    def close(self) -> None:
        """Give everything back."""


class LocalBench:
    """Everything in this process, which dies with a candidate that crashes."""

    def __init__(
        self,
        job: Job,
        phase: Callable[[Phase], None] = lambda _: None,
        entering: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`phase` hears what a candidate begins, `entering` which of several runs now."""
        self.job = job
        self.phase = phase
        self.entering = entering
        self._preparer = Preparer(job.pipeline, job.workload, job.threads, job.regime)
        self._prepared: dict[str, Prepared] = {}

    def start(self) -> Ready:
        """See Bench."""
        trusted = compile_kernel(self.job.pipeline, self.job.default)
        return self.start_with(plan_checks(self.job.pipeline, self.job.workload, trusted))

    def start_with(self, checks: Sequence[Check]) -> Ready:
        """Start with checks that were planned before."""
        self._preparer.checks = checks
        try:
            return self.prepare(self.job.default)
        except CandidateError as error:
            raise TuneError(
                f"the default schedule of {self.job.pipeline.name} cannot be timed ({error.kind}): {error}"
            ) from None

    @property
    def checks(self) -> Sequence[Check]:
        return self._preparer.checks

    def prepare(self, schedule: Schedule) -> Ready:
        """See Bench."""
        made = self._preparer.prepare(schedule, self.phase)
        self._prepared[schedule_id(schedule)] = made
        return Ready(schedule, made.source, made.memory)

    def seconds(self, ready: Ready) -> float:
        """See Bench."""
        return clock(self._run(ready, 0), self._preparer.between)

    def race(self, candidate: Ready, rival: Ready, *, seconds: float = 0.3, least: int = 3) -> Race:
        """See Bench."""
        ours, theirs = self._run(candidate, 0), self._run(rival, 1)
        return race(ours, theirs, seconds=seconds, least=least, between=self._preparer.between)

    def rounds(
        self,
        entered: Sequence[Ready],
        *,
        seconds: float,
        least: int,
        most: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[list[float]]:
        """See Bench."""
        runs = [self._run(ready, i) for i, ready in enumerate(entered)]
        return rounds(runs, seconds=seconds, least=least, most=most, progress=progress, between=self._preparer.between)

    def keep(self, wanted: Sequence[Ready]) -> None:
        """See Bench."""
        ids = {schedule_id(ready.schedule) for ready in wanted}
        self._prepared = {key: made for key, made in self._prepared.items() if key in ids}

    def close(self) -> None:
        """See Bench."""
        self._prepared.clear()

    def _run(self, ready: Ready, place: int) -> Callable[[], None]:
        key = schedule_id(ready.schedule)
        self.entering(place)
        if key not in self._prepared:
            try:
                self.prepare(ready.schedule)
            except CandidateError as error:
                raise CandidateError(error.kind, str(error), place) from None
        prepared = self._prepared[key]

        def run() -> None:
            self.entering(place)
            try:
                prepared.run()
            except Exception as error:
                kind: Kind = "memory" if isinstance(error, MemoryError) else "crash"
                raise CandidateError(kind, f"{type(error).__name__}: {error}", place) from error

        return run
