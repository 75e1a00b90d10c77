"""The final: who wins, what is a tie, what is noise."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune import measure
from autosched.tune.bench import LocalBench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.finals import Contender, complexity, play, rank
from autosched.tune.rounds import LEAST, MOST

SIMPLE = Schedule().parallel("f", "y")
COMPLEX = SIMPLE.vectorize("f", "x", 8).unroll("f", "y", 2)


def contender(label: str, schedule: Schedule = SIMPLE, memory: int = 0) -> Contender:
    return Contender(label, Ready(schedule, label, memory))


def times(median: float, rounds: int, seed: int, spread: float = 0.02) -> list[float]:
    rng = random.Random(seed)
    return [median * (1 + rng.uniform(-spread, spread)) for _ in range(rounds)]


def test_the_fastest_wins() -> None:
    entered = [contender("default", Schedule()), contender("a", COMPLEX), contender("b", SIMPLE)]
    result = rank(entered, [times(3.0, 21, 0), times(1.0, 21, 1), times(2.0, 21, 2)], times(3.0, 21, 3))
    assert [s.label for s in result.standings] == ["a", "b", "default"]
    assert result.winner.speedup.median == pytest.approx(3.0, rel=0.05)
    assert result.winner.speedup.low > 2.8 and result.winner.seconds.median == pytest.approx(1.0, rel=0.02)
    assert result.default.label == "default" and result.default.speedup.median == 1.0
    assert (result.tied, result.rounds) == (1, 21)
    assert 0 < result.noise < 0.05


def test_ties_go_to_the_simpler() -> None:
    entered = [contender("default", Schedule()), contender("a", COMPLEX), contender("b", SIMPLE)]
    result = rank(entered, [times(3.0, 21, 0), times(1.0, 21, 1), times(1.001, 21, 2)], times(3.0, 21, 3))
    assert result.winner.label == "b" and result.tied == 2
    assert [s.label for s in result.standings] == ["b", "a", "default"]


@pytest.mark.parametrize(
    ("memory", "winner"),
    [((1 << 18, 1 << 20), "simple"), ((1 << 18, (1 << 20) + 1), "default"), ((1 << 24, 1 << 25), "simple")],
)
def test_ties_do_not_go_to_what_takes_more_memory(memory: tuple[int, int], winner: str) -> None:
    """Twice as much as another is no more, nor is anything that caches hold."""
    entered = [contender("default", COMPLEX, memory[0]), contender("simple", SIMPLE, memory[1])]
    assert rank(entered, [times(1.0, 21, 0), times(0.999, 21, 1)], times(1.0, 21, 3)).winner.label == winner
    assert rank(entered, [times(1.0, 21, 0), times(0.5, 21, 1)], times(1.0, 21, 3)).winner.label == "simple"


def test_the_default_wins_where_nothing_is_faster() -> None:
    entered = [contender("default", Schedule()), contender("a", COMPLEX)]
    assert rank(entered, [times(1.0, 21, 0), times(0.998, 21, 1)], times(1.0, 21, 3)).winner.label == "default"
    assert rank(entered[:1], [times(1.0, 21, 0)], times(1.0, 21, 3)).winner.label == "default"


def test_noise_decides_what_is_a_tie() -> None:
    """A difference of 5 % counts on a quiet machine and not on one that differs from itself by 10 %."""
    entered = [contender("default", Schedule()), contender("a", COMPLEX)]
    a = times(0.95, 21, 1, 0.001)
    quiet = rank(entered, [times(1.0, 21, 0, 0.001), a], times(1.0, 21, 3, 0.001))
    loud = rank(entered, [times(1.0, 21, 0, 0.001), a], times(1.1, 21, 3, 0.001))
    assert quiet.winner.label == "a" and quiet.noise < 0.01
    assert loud.winner.label == "default" and loud.noise > 0.09


def test_noise_does_not_make_a_slower_schedule_win() -> None:
    """Not even where it is simpler than the default and everything else."""
    entered = [contender("default", COMPLEX), contender("a", COMPLEX), contender("b", SIMPLE)]
    result = rank(entered, [times(1.0, 21, 0), times(0.99, 21, 1), times(1.2, 21, 2)], times(1.3, 21, 3))
    assert result.noise > 0.25 and result.tied == 2 and result.winner.label == "a"


class Stub(LocalBench):
    """Runs that take no time, and say their names."""

    def __init__(self, failing: str = "", at: int = 3) -> None:
        self.ran: list[str] = []
        self.failing = failing
        self.at = at
        self._preparer = type("P", (), {"between": staticmethod(measure.nothing)})()

    def _run(self, ready: Ready, place: int) -> Callable[[], None]:
        def run() -> None:
            self.ran.append(ready.source)
            if ready.source == self.failing and self.ran.count(ready.source) >= self.at:
                raise CandidateError("crash", "SIGSEGV", place)

        return run


def test_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(measure.time, "perf_counter", lambda: float(next(ticks)))
    entered = [contender("default"), contender("a")]
    seen: list[int] = []
    bench = Stub()
    result = play(bench, entered[0], entered[1:], seconds=0.0, progress=seen.append)
    assert result.rounds == LEAST and seen == list(range(1, LEAST + 1))
    assert bench.ran.count("default") == 2 * LEAST and bench.ran.count("a") == LEAST
    first = [bench.ran[i : i + 3] for i in range(0, len(bench.ran), 3)]
    assert len({tuple(r) for r in first}) > 1  # the order changes
    assert play(Stub(), entered[0], [], seconds=1e9).rounds == MOST


def test_who_fails_in_the_final_goes_home() -> None:
    entered = [contender("default"), contender("a"), contender("b")]
    result = play(Stub("a"), entered[0], entered[1:], seconds=0.0)
    assert {s.label for s in result.standings} == {"default", "b"} and result.rounds == LEAST
    with pytest.raises(TuneError, match=r"the default schedule fails in the final \(crash\): SIGSEGV"):
        play(Stub("default"), entered[0], entered[1:], seconds=0.0)


def test_complexity() -> None:
    assert [complexity(s) for s in (Schedule(), SIMPLE, COMPLEX)] == [0, 1, 3]
