"""Races and estimates, with clocks that tests turn."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from autosched.tune import measure
from autosched.tune.measure import estimate, race, rounds, settle


class Clock:
    """A clock that only runs while something 'runs'."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.order = ""
        monkeypatch.setattr(measure.time, "perf_counter", lambda: self.now)

    def run(self, name: str, *seconds: float) -> Callable[[], None]:
        """Takes `seconds` in turn, the last of them from then on."""
        left = list(seconds)

        def go() -> None:
            self.order += name
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return go


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_race_is_interleaved_and_fair(clock: Clock) -> None:
    result = race(clock.run("c", 0.03), clock.run("r", 0.05), seconds=0.3, least=3)
    assert clock.order.startswith("crrccrrc")
    assert len(result.candidate) == len(result.rival) == 4
    assert result.ratio == pytest.approx(0.6) and not result.gave_up


def test_at_least_and_at_most(clock: Clock) -> None:
    assert len(race(clock.run("c", 10.0), clock.run("r", 10.0), least=3).candidate) == 3
    assert len(race(clock.run("c", 1e-6), clock.run("r", 1e-6), most=30).candidate) == 30


def test_hopeless_candidates_end_early(clock: Clock) -> None:
    result = race(clock.run("c", 3.0), clock.run("r", 1.0))
    assert result.gave_up and len(result.candidate) == 2 and result.ratio == pytest.approx(3.0)


def test_one_unlucky_run_is_not_hopeless(clock: Clock) -> None:
    result = race(clock.run("c", 3.0, 0.5), clock.run("r", 1.0), least=5)
    assert not result.gave_up and len(result.candidate) == 5 and result.ratio == pytest.approx(0.5)


def test_drift_cancels(clock: Clock) -> None:
    """A machine that slows down slows both."""
    slower = [0.1 * 1.5**i for i in range(9)]
    result = race(clock.run("c", *[s / 2 for s in slower]), clock.run("r", *slower), least=9)
    assert result.ratio == pytest.approx(0.5)


def test_garbage_collection_waits(clock: Clock) -> None:
    seen = []
    race(lambda: seen.append(gc.isenabled()), lambda: None, least=3, most=3)
    assert seen == [False] * 3 and gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        race(lambda: 1 / 0, lambda: None)
    assert gc.isenabled()


def test_estimates() -> None:
    e = estimate([1.0, 2.0, 3.0, 4.0, 100.0])
    assert e.median == 3.0 and e.low < 3.0 < e.high and e == estimate([1.0, 2.0, 3.0, 4.0, 100.0])
    narrow = estimate([3.0 + i / 1000 for i in range(-50, 50)])
    assert narrow.high - narrow.low < 0.06
    assert estimate([2.0]) == estimate([1.0]).scaled(2.0)


@pytest.mark.parametrize(("busy", "looks"), [(0, 1), (3, 4), (1000, 20)], ids=["idle", "for a while", "for ever"])
def test_a_process_settles_when_its_other_threads_take_no_time(
    monkeypatch: pytest.MonkeyPatch, busy: int, looks: int
) -> None:
    now, look = 0.0, 7 / 1024  # seconds; a look reads the clock at its begin and six times more

    def tick() -> float:
        nonlocal now
        now += 1 / 1024
        return now

    monkeypatch.setattr(measure.time, "monotonic", tick)
    monkeypatch.setattr(measure.time, "thread_time", lambda: now)  # this thread waits busily
    monkeypatch.setattr(measure.time, "process_time", lambda: now + min(now, look * busy))
    settle()
    assert now == look * looks


def test_what_is_between_runs_is_not_timed(clock: Clock) -> None:
    taken = rounds([clock.run("a", 0.03), clock.run("b", 0.05)], seconds=0, least=2, most=2, between=clock.run("-", 1))
    assert clock.order.count("-") == 4 and set(clock.order[::2]) == {"-"}
    assert taken == [pytest.approx([0.03] * 2), pytest.approx([0.05] * 2)]
