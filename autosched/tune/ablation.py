"""Ablation: what each directive of a schedule, and each choice of each knob, is worth; paired and interleaved.

Everything is timed in the same rounds as what it is compared with, so a number is a ratio with an interval, not a
difference between two moments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from autosched.errors import ScheduleError
from autosched.lang import Pipeline
from autosched.schedule import Schedule
from autosched.tune.bench import Bench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.measure import Estimate, paired
from autosched.tune.polish import without_each
from autosched.tune.rounds import play_rounds
from autosched.tune.space import Space

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
