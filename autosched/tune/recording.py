"""Recorded spaces: every point and what became of it, in a file that others can read, searched without a compiler.

The file follows the vocabulary of the T4 format that tuners of kernels share: `results` with a `configuration`, an
`invalidity`, `measurements` and `objectives` each, and `metadata`. `Recording.model_json_schema()` is its schema.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune.bench import Job, Ready
from autosched.tune.candidate import CandidateError, Kind, schedule_id
from autosched.tune.constraints import Value
from autosched.tune.measure import Race
from autosched.tune.run import Result, tune
from autosched.tune.space import Space
from autosched.tune.study import SIMPLIFIED, Trial
from autosched.tune.task import Budget, Method, Task

Invalidity = Literal["correct", "constraints", "compile", "correctness", "runtime", "timeout"]
_INVALIDITY: dict[Kind, Invalidity] = {
    "ok": "correct", "slow": "correct", "infeasible": "constraints", "compile": "compile", "wrong": "correctness",
    "crash": "runtime", "memory": "runtime", "timeout": "timeout",
}  # fmt: skip


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Measurement(_Model):
    """A number that was measured: `ratio` is the time over the default's, `memory` bytes beyond inputs and outputs."""

    name: Literal["ratio", "memory"]
    value: float
    unit: str


class RecordedPoint(_Model):
    """The outcome of a point. `measurements` is empty where it could not be timed; `kind` says why in our words."""

    configuration: Mapping[str, Value]
    invalidity: Invalidity
    kind: Kind
    measurements: tuple[Measurement, ...] = ()
    objectives: tuple[Literal["ratio"]] = ("ratio",)
    source: str = ""

    def value(self, name: str) -> float | None:
        """A measurement by its name."""
        return next((m.value for m in self.measurements if m.name == name), None)


class Metadata(_Model):
    """The origin of a recording: the pipeline, the machine and the space."""

    pipeline: str
    algorithm: str
    cpu: str
    threads: int
    workload: str
    regime: str
    space: str


class Recording(_Model):
    """All points of a space."""

    schema_version: Literal["1.0.0"] = "1.0.0"
    metadata: Metadata
    results: tuple[RecordedPoint, ...]

    def to_json(self) -> str:
        """The file's text, a line a point."""
        data = self.model_dump(mode="json")
        lines = ",\n  ".join(json.dumps(entry) for entry in data["results"])
        head = json.dumps({k: v for k, v in data.items() if k != "results"})
        return f'{head[:-1]}, "results": [\n  {lines}\n]}}'

    def best(self) -> float:
        """The smallest ratio. Raises TuneError where nothing could be timed."""
        ratios = [r for r in (entry.value("ratio") for entry in self.results) if r is not None]
        if not ratios:
            raise TuneError(f"the recording of {self.metadata.pipeline} has no point that could be timed")
        return min(ratios)


def load_recording(path: Path) -> Recording:
    """The recording in a file. Raises TuneError where it is not one."""
    try:
        return Recording.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TuneError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValidationError, UnicodeDecodeError) as error:
        first = str(error).splitlines()
        raise TuneError(f"{path} is not a recording of a space: {'; '.join(first[1:3]) or first[0]}") from None


def record(task: Task, result: Result) -> Recording:
    """Every point that the trials of a search have an outcome for."""
    key, search = result.record.key, result.record.search
    first: dict[str, Trial] = {}
    for trial in result.trials:
        if trial.outcome.kind != "duplicate":
            first.setdefault(schedule_id(trial.schedule), trial)
            first.setdefault(trial.outcome.source or schedule_id(trial.schedule), trial)
    entries = []
    for trial in result.trials:
        if trial.point is None:
            continue
        outcome = trial.outcome
        if outcome.kind == "duplicate":  # of a schedule or of the code of another one
            outcome = first.get(schedule_id(trial.schedule), first.get(outcome.source, trial)).outcome
        measurements = () if outcome.ratio is None else (
            Measurement(name="ratio", value=round(outcome.ratio, 5), unit="1"),
            Measurement(name="memory", value=outcome.memory, unit="B"),
        )  # fmt: skip
        entries.append(
            RecordedPoint(
                configuration=dict(trial.point),
                invalidity=_INVALIDITY[outcome.kind],
                kind=outcome.kind,
                measurements=measurements,
                source=outcome.source,
            )
        )
    metadata = Metadata(
        pipeline=task.pipeline.name,
        algorithm=key.algorithm,
        cpu=key.cpu.fingerprint().cpu_class,
        threads=key.threads,
        workload=search.workload,
        regime=search.conditions,
        space=task.space.identity,
    )
    return Recording(metadata=metadata, results=tuple(sorted(entries, key=lambda e: json.dumps(dict(e.configuration)))))


class RecordedBench:
    """See Bench. Answers from a recording; a schedule that is not in it is infeasible."""

    def __init__(self, job: Job, recording: Recording, space: Space) -> None:
        if recording.metadata.space != space.identity:
            raise TuneError(
                f"the recording is of space {recording.metadata.space}, not of {space.name} ({space.identity}), which "
                "has changed since; record it anew"
            )
        self.job = job
        self._entries = {schedule_id(space.schedule(entry.configuration)): entry for entry in recording.results}

    def start(self) -> Ready:
        """See Bench."""
        return self.prepare(self.job.default)

    def prepare(self, schedule: Schedule) -> Ready:
        """See Bench."""
        entry = self._entries.get(schedule_id(schedule))
        if entry is None:
            if schedule == self.job.default:
                return Ready(schedule, "default")
            raise CandidateError("infeasible", "it is not in the recording")
        if entry.value("ratio") is None:
            raise CandidateError(entry.kind, "recorded so")
        return Ready(schedule, entry.source, int(entry.value("memory") or 0))

    def seconds(self, ready: Ready) -> float:
        """See Bench; the default takes a second."""
        entry = self._entries.get(schedule_id(ready.schedule))
        return 1.0 if entry is None else entry.value("ratio") or 1.0

    def race(self, candidate: Ready, rival: Ready, *, seconds: float = 0.3, least: int = 3) -> Race:
        """See Bench."""
        ours, theirs = self.seconds(candidate), self.seconds(rival)
        return Race((ours,) * least, (theirs,) * least, False)

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
        return [[self.seconds(ready)] * least for ready in entered]

    def keep(self, wanted: Sequence[Ready]) -> None:
        """See Bench."""

    def close(self) -> None:
        """See Bench."""


def simulate(task: Task, recording: Recording, method: Method, trials: int) -> list[float]:
    """The best ratio after each new schedule of a search in a recording, beginning with the default's 1."""
    result = tune(
        task,
        Budget(trials=trials, seconds=None),
        threads=recording.metadata.threads,
        method=method,
        bench=lambda job: RecordedBench(job, recording, task.space),
        storage="memory:",
    )
    best: list[float] = []
    for trial in result.trials:
        if trial.outcome.kind != "duplicate" and not trial.name.endswith(SIMPLIFIED):
            ratio = trial.outcome.ratio
            best.append(min([*best[-1:], 1.0 if ratio is None else ratio]))
    return best
