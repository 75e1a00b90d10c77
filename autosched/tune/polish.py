"""Local search: the points next to a good one, and the schedule without what buys nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autosched.errors import ScheduleError
from autosched.lang import Pipeline
from autosched.schedule import Schedule
from autosched.tune.bench import Bench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.constraints import Point, Value
from autosched.tune.finals import complexity, takes_more
from autosched.tune.measure import paired
from autosched.tune.space import Knob, Space

#: How much slower a schedule may seem without a directive that is given up.
TOLERANCE = 0.01


def neighbours(space: Space, point: Point) -> Iterator[dict[str, Value]]:
    """Points that differ from `point` in one knob: the next choices of a number, any other choice of the rest.

    Where that makes other knobs active or breaks a constraint, they follow as far as they must.
    """
    for knob in space.knobs:
        if knob.name not in point:
            continue
        for value in _near(knob, point[knob.name]):
            made = space.nearest({**point, knob.name: value})
            if made.get(knob.name) == value:
                yield made


def _near(knob: Knob, value: Value) -> tuple[Value, ...]:
    if not knob.ordered:
        return tuple(v for v in knob.choices if v != value)
    at = knob.choices.index(value)
    return knob.choices[max(at - 1, 0) : at] + knob.choices[at + 1 : at + 2]


def without_each(schedule: Schedule) -> Iterator[tuple[str, Schedule]]:
    """The schedule without one of its directives, and which that is; the last ones of each Func first."""
    for func, items in schedule.funcs.items():
        for i in reversed(range(len(items))):
            yield f"{items[i]} of {func}", Schedule({**schedule.funcs, func: (*items[:i], *items[i + 1 :])})


def bare(pipeline: Pipeline, bench: Bench, winner: Ready, over: Callable[[], bool]) -> Ready:
    """The winner without the directives that change no code; `over` may end it before all are tried."""

    def same(shorter: Schedule) -> Ready | None:
        ready = _prepared(pipeline, bench, shorter)
        return ready if ready is not None and ready.source == winner.source else None

    return _shortened(winner, same, over)


def simplify(pipeline: Pipeline, bench: Bench, winner: Ready, over: Callable[[], bool]) -> Ready:
    """The winner without the directives that buy nothing: gone is what changes no code or makes nothing slower.

    What is left is always raced against the winner itself, so that small losses do not add up. Ends when nothing more
    can go, or when `over` says so.
    """
    return _shortened(winner, lambda shorter: _as_good(pipeline, bench, shorter, winner), over)


def _shortened(winner: Ready, accepted: Callable[[Schedule], Ready | None], over: Callable[[], bool]) -> Ready:
    """The winner without one directive after the other, as long as what is left is accepted; each is asked for once."""
    kept = winner
    tried: set[Schedule] = set()
    progress = True
    while progress:
        progress = False
        for _, shorter in without_each(kept.schedule):
            if over():
                return kept
            if shorter in tried:
                continue
            tried.add(shorter)
            ready = accepted(shorter)
            if ready is not None:
                assert complexity(ready.schedule) < complexity(kept.schedule)
                kept, progress = ready, True
                break
    return kept


def _as_good(pipeline: Pipeline, bench: Bench, schedule: Schedule, winner: Ready) -> Ready | None:
    """`schedule`, prepared, where it is right, not slower than the winner, and takes no more memory."""
    ready = _prepared(pipeline, bench, schedule)
    if ready is None or ready.source == winner.source:
        return ready
    if takes_more(ready.memory, winner.memory):
        return None
    try:
        raced = bench.race(ready, winner, seconds=0.5, least=7)
    except CandidateError:
        return None
    if raced.gave_up:
        return None
    ratio = paired(raced.candidate, raced.rival)
    return ready if ratio.median <= 1 + TOLERANCE and ratio.low <= 1.0 else None


def _prepared(pipeline: Pipeline, bench: Bench, schedule: Schedule) -> Ready | None:
    try:
        schedule.check(pipeline)
        return bench.prepare(schedule)
    except (ScheduleError, CandidateError):
        return None
