"""The front of what is not beaten in all respects."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autosched.schedule import Schedule
from autosched.tune.pareto import front
from autosched.tune.study import Outcome, Trial, not_beaten

points = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=20)


@given(points)
def test_front(costs: list[tuple[int, int]]) -> None:
    """Against the definition, with each cost once, the cheapest in the first respect first."""

    def beaten(cost: tuple[int, int]) -> bool:
        return any(other != cost and other[0] <= cost[0] and other[1] <= cost[1] for other in costs)

    assert front(costs, lambda c: c) == sorted({c for c in costs if not beaten(c)})


def test_trials() -> None:
    """Only what was timed to the end counts."""

    def trial(number: int, kind: str, ratio: float | None, memory: int) -> Trial:
        return Trial(number, Schedule(), Outcome(kind, ratio, memory=memory))  # type: ignore[arg-type]

    trials = [
        trial(0, "ok", 1.0, 50), trial(1, "ok", 0.5, 900), trial(2, "ok", 0.6, 900), trial(3, "slow", 3.0, 0),
        trial(4, "crash", None, 0), trial(5, "ok", 1.5, 10), trial(6, "ok", 1.0, 50),
    ]  # fmt: skip
    assert [t.number for t in not_beaten(trials)] == [1, 0, 5]
