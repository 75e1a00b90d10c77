"""Rounds run every job once, release what jobs return, and stop when they should."""

from __future__ import annotations

import gc
import time
import weakref

import pytest

from experiments.timing import Rounds, interleave


def test_every_round_runs_every_job_once_in_changing_order() -> None:
    ran: list[str] = []
    jobs = {name: lambda name=name: ran.append(name) for name in "abc"}
    times = interleave(jobs, Rounds(least=12, most=12, seconds=0.0))
    rounds = [tuple(ran[first : first + 3]) for first in range(0, len(ran), 3)]
    assert len(rounds) == 12 and all(sorted(each) == list("abc") for each in rounds)
    assert len(set(rounds)) > 1
    assert {name: len(seconds) for name, seconds in times.items()} == {"a": 12, "b": 12, "c": 12}


@pytest.mark.parametrize(("rounds", "expected"), [(Rounds(2, 50, 0.0), 2), (Rounds(2, 5, 1e9), 5)])
def test_the_number_of_rounds(rounds: Rounds, expected: int) -> None:
    seen: list[int] = []
    interleave({"a": lambda: None}, rounds, seen.append)
    assert seen == list(range(1, expected + 1))


def test_what_comes_before_a_job_is_told_its_name_and_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    monkeypatch.setattr(time, "perf_counter", lambda: 100.0 * sum(each.startswith("before") for each in happened))

    def before(name: str) -> None:
        happened.append(f"before {name}")

    jobs = {name: lambda name=name: happened.append(name) for name in "ab"}
    times = interleave(jobs, Rounds(least=2, most=2, seconds=0.0), before=before)
    assert happened[::2] == [f"before {name}" for name in happened[1::2]]
    assert times == {"a": [0.0, 0.0], "b": [0.0, 0.0]}


def test_what_a_job_returns_is_gone_before_the_next_one() -> None:
    class Result:
        pass

    alive: list[weakref.ref[Result]] = []

    def job() -> Result:
        assert all(reference() is None for reference in alive)
        result = Result()
        alive.append(weakref.ref(result))
        return result

    interleave({"a": job, "b": job}, Rounds(3, 3, 0.0))
    assert len(alive) == 6


def test_collection_is_as_before_after_an_error() -> None:
    def fail() -> None:
        assert not gc.isenabled()
        raise KeyboardInterrupt

    assert gc.isenabled()
    with pytest.raises(KeyboardInterrupt):
        interleave({"a": fail}, Rounds(1, 1, 0.0))
    assert gc.isenabled()
