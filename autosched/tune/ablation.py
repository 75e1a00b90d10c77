"""Ablation: what each directive of a schedule, and each choice of each knob, is worth; paired and interleaved.

Everything is timed in the same rounds as what it is compared with, so a number is a ratio with an interval, not a
difference between two moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from autosched.errors import ScheduleError, TuneError
from autosched.lang import Pipeline
from autosched.schedule import Schedule
from autosched.threads import checked
from autosched.tune.bench import Bench, Job, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.isolated import IsolatedBench
from autosched.tune.measure import Estimate, paired
from autosched.tune.polish import without_each
from autosched.tune.rounds import play_rounds
from autosched.tune.space import Space
from autosched.tune.task import Task

Part = Literal["leave-one-out", "one-at-a-time", "importance"]


@dataclass(frozen=True)
class AblationRow:
    """A change and what it does: the time over the baseline's, with an interval; None where it cannot be timed.

    `what` is the directive that is left out, or the knob and its choice; `kind` is "ok", "same code", or how it failed.
    Of the part "importance" the ratio is the share of the variation that the knob explains.
    """

    part: Part
    what: str
    ratio: Estimate | None
    kind: str = "ok"

    def __str__(self) -> str:
        """A line for people: the change and the times as long that it takes."""
        r = self.ratio
        said = self.kind if r is None or self.kind != "ok" else f"{r.median:.2f} [{r.low:.2f}, {r.high:.2f}]"
        return f"{self.part}: {self.what}: {said}"


def ablate(
    task: Task,
    schedule: Schedule | None,
    seconds: float = 30.0,
    *,
    knobs: Sequence[str] | None = None,
    threads: int | None = None,
    report: Callable[[str], None] = lambda _: None,
    bench: Callable[[Job], Bench] | None = None,
) -> list[AblationRow]:
    """What the directives of a schedule, such as a result's, and the choices of knobs are worth on a task's workload.

    Each directive is left out of `schedule`, unless that is None; each of `knobs`, all of the task's space where they
    are None, is set to each other choice at the default point. `seconds` are what timing takes, beside compiling; every
    change is checked bit for bit before. `threads` are what it runs on, all CPUs by default. `report` hears what is
    tried; `bench` is as in `tune`.

    Raises ScheduleError where `schedule` is not legal, TuneError for knobs that the space does not have, and where what
    others are compared with cannot be timed.
    """
    known = [knob.name for knob in task.space.knobs]
    chosen = known if knobs is None else list(knobs)
    if unknown := [name for name in chosen if name not in known]:
        raise TuneError(f"search space {task.space.name} has no knob {unknown[0]!r}; it has {', '.join(known)}")
    if not seconds > 0:
        raise TuneError(f"the time to measure is {seconds} s; it must be more than 0")
    if schedule is not None:
        schedule.check(task.pipeline)
    job = Job(task.pipeline, task.workload, checked(threads, error=TuneError), task.schedules["default"])
    each = seconds / 2 if schedule is not None and chosen else seconds
    bucket = task.bucket.name if task.bucket else None
    opened = (bench or IsolatedBench)(job)
    rows: list[AblationRow] = []
    try:
        opened.start()
        if schedule is not None:
            rows += leave_one_out(task.pipeline, opened, schedule, each, report)
        if chosen:
            rows += one_at_a_time(task.pipeline, opened, task.space, chosen, each, report, bucket)
    except CandidateError as error:
        raise TuneError(f"the schedule that others are compared with cannot be timed ({error.kind}): {error}") from None
    finally:
        opened.close()
    return rows


def leave_one_out(
    pipeline: Pipeline, bench: Bench, schedule: Schedule, seconds: float, say: Callable[[str], None] = lambda _: None
) -> list[AblationRow]:
    """The worth of each directive of a schedule: how much longer it takes without it."""
    return _compare("leave-one-out", pipeline, bench, schedule, list(without_each(schedule)), seconds, say)


def one_at_a_time(
    pipeline: Pipeline,
    bench: Bench,
    space: Space,
    knobs: Sequence[str],
    seconds: float,
    say: Callable[[str], None] = lambda _: None,
    bucket: str | None = None,
) -> list[AblationRow]:
    """The effect of each other choice of `knobs`, by default of all, at the default point of a space in a bucket."""
    default = space.default(bucket)
    changes = []
    for knob in space.knobs:
        if knob.name in default and (not knobs or knob.name in knobs):
            for value in knob.choices:
                point = space.nearest({**default, knob.name: value})
                if value != default[knob.name] and point.get(knob.name) == value:
                    changes.append((f"{knob.name} = {value}", space.schedule(point)))
    return _compare("one-at-a-time", pipeline, bench, space.schedule(default), changes, seconds, say)


def _compare(
    part: Part,
    pipeline: Pipeline,
    bench: Bench,
    base: Schedule,
    changes: Sequence[tuple[str, Schedule]],
    seconds: float,
    say: Callable[[str], None],
) -> list[AblationRow]:
    """Raises CandidateError where the base itself cannot be timed."""
    first = bench.prepare(base)
    rows: dict[str, AblationRow] = {}
    entered: list[tuple[str, Ready]] = []
    for what, schedule in changes:
        say(what)
        try:
            schedule.check(pipeline)
            ready = bench.prepare(schedule)
        except (ScheduleError, CandidateError) as error:
            rows[what] = AblationRow(
                part, what, None, error.kind if isinstance(error, CandidateError) else "infeasible"
            )
        else:
            if ready.source == first.source:
                rows[what] = AblationRow(part, what, Estimate(1.0, 1.0, 1.0), "same code")
            else:
                entered.append((what, ready))
    played = play_rounds(
        bench, first, [ready for _, ready in entered], seconds=seconds, progress=lambda n: say(f"round {n}")
    )
    for i, (what, _) in enumerate(entered):
        if i in played.failed:
            rows[what] = AblationRow(part, what, None, played.failed[i].kind)
        else:
            rows[what] = AblationRow(part, what, paired(played.others[i], played.base))
    return [rows[what] for what, _ in changes]
