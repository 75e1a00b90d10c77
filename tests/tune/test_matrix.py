"""Schedules by workloads: the fewest that serve all, on invented times."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import pytest

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune.bench import Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.matrix import Matrix, MatrixRow, cover, row


def matrix(
    times: Mapping[str, Mapping[str, float]],
    directives: Mapping[str, int] | None = None,
    buckets: Mapping[str, str] | None = None,
    default: str = "",
) -> Matrix:
    """Each workload in a bucket of its own name where `buckets` does not say otherwise; by default the default is the
    slowest.
    """
    labels = list(dict.fromkeys(s for took in times.values() for s in took))
    schedules = {}
    for i, label in enumerate(labels):
        made = Schedule().parallel(f"f{i}", "y")
        for n in range((directives or {}).get(label, 0)):
            made = made.unroll(f"f{i}", "y", n + 1)
        schedules[label] = made
    rows = {}
    for w, took in times.items():
        usual = default or max(took, key=lambda label: took[label])
        each = {s: (t,) * 7 for s, t in took.items()}
        rows[w] = MatrixRow((buckets or {}).get(w, w), usual, each, each[usual])
    return Matrix(schedules, rows)


def test_one_schedule_where_one_is_enough() -> None:
    found = cover(matrix({"small": {"a": 1.0, "b": 1.02, "c": 1.5}, "large": {"a": 9.0, "b": 8.0, "c": 7.9}}))
    assert found.kept == ("b",) and found.serves == {"small": "b", "large": "b"}
    assert found.worst == pytest.approx(0.02)


def test_two_where_two_are_needed() -> None:
    found = cover(
        matrix({"small": {"a": 1.0, "b": 1.2}, "middle": {"a": 2.0, "b": 2.01}, "large": {"a": 9.0, "b": 8.0}})
    )
    assert found.kept == ("a", "b") and found.serves == {"small": "a", "middle": "a", "large": "b"}
    assert found.worst == 0.0


def test_ties_go_to_the_simpler_then_to_the_smaller_loss() -> None:
    """A loss of 2 % is within what is allowed, but no tie."""
    times = {"w": {"a": 1.0, "b": 1.005, "c": 1.0, "d": 1.02}}
    assert cover(matrix(times, {"a": 2})).kept == ("c",)
    assert cover(matrix(times, {"c": 2})).kept == ("a",)
    assert cover(matrix(times, {"a": 2, "c": 2})).kept == ("b",)
    assert cover(matrix(times, {"a": 1, "b": 1, "c": 1})).kept == ("a",)


def test_what_is_slower_than_the_default_serves_nothing() -> None:
    """Within what is allowed against the best, and yet it would be better to have no record; a tie is none."""
    times = {"x": {"a": 1.0, "b": 1.02}, "y": {"a": 1.3, "b": 1.0}}
    assert cover(matrix(times)).kept == ("b",)
    found = cover(matrix(times, default="a"))
    assert found.kept == ("a", "b") and found.serves == {"x": "a", "y": "b"}
    times["x"]["b"] = 1.008
    assert cover(matrix(times, default="a")).kept == ("b",)


def test_where_all_are_slower_than_a_default_the_best_of_them_serves() -> None:
    times = {"x": {"a": 1.0, "b": 1.1, "c": 1.04}, "y": {"a": 1.3, "b": 1.0, "c": 1.05}}
    found = cover(matrix(times, buckets={"x": "wide", "y": "wide"}, default="a"))
    assert found.kept == ("c",) and found.worst == pytest.approx(0.05)


def test_what_fails_serves_nothing() -> None:
    found = cover(matrix({"x": {"a": 1.0, "b": 3.0}, "y": {"b": 1.0}}))
    assert found.kept == ("a", "b") and found.serves == {"x": "a", "y": "b"}
    assert cover(matrix({"x": {"a": 1.0, "b": 3.0}, "y": {"b": 1.0}}), within=2.5).kept == ("b",)


def test_workloads_of_a_bucket_share_a_schedule() -> None:
    """Alone, each would have a different one; in one bucket, the one that loses least on the worse of them is kept."""
    times = {"x": {"a": 1.0, "b": 1.1, "c": 1.04}, "y": {"a": 1.3, "b": 1.0, "c": 1.05}, "z": {"a": 1.0, "b": 2.0}}
    apart = cover(matrix(times))
    assert apart.serves == {"x": "a", "y": "b", "z": "a"} and apart.worst == 0.0
    found = cover(matrix(times, buckets={"x": "wide", "y": "wide"}))
    assert found.serves == {"wide": "c", "z": "a"} and found.kept == ("a", "c")
    assert found.worst == pytest.approx(0.05)
    with pytest.raises(TuneError, match=r"no schedule works on all workloads of bucket wide \(x, y\)"):
        cover(matrix({"x": {"a": 1.0}, "y": {"b": 1.0}}, buckets={"x": "wide", "y": "wide"}))


def test_it_is_the_smallest_and_within() -> None:
    """Random matrices, against all subsets."""
    rng = random.Random(0)
    for _ in range(60):
        times = {f"w{w}": {f"s{s}": rng.choice((1.0, 1.02, 1.1, 2.0)) for s in range(6)} for w in range(5)}
        made = matrix(times)
        found = cover(made)
        assert found.worst <= 0.03 and all(made.rows[w].loss(s) <= 0.03 for w, s in found.serves.items())
        for smaller in combinations(made.schedules, len(found.kept) - 1):
            assert any(min((made.rows[w].loss(s) for s in smaller), default=9.0) > 0.03 for w in times)


def test_many_schedules_are_covered_greedily() -> None:
    times = {f"w{w}": {f"s{s}": 1.0 if s // 10 == w else 2.0 for s in range(40)} for w in range(4)}
    found = cover(matrix(times))
    assert len(found.kept) == 4 and found.worst == 0.0


class Stub:
    """Schedules take as long as the factor that they unroll by; 5 does not compile, 7 crashes in the rounds."""

    def prepare(self, schedule: Schedule) -> Ready:
        factor = self.factor(schedule)
        if factor == 5:
            raise CandidateError("compile", "no")
        return Ready(schedule, str(factor))

    def factor(self, schedule: Schedule) -> int:
        return next(x.factor for items in schedule.funcs.values() for x in items if x.op == "unroll")  # type: ignore[attr-defined]

    def rounds(
        self, entered: Sequence[Ready], *, seconds: float, least: int, most: int, progress: Callable[[int], None]
    ) -> list[list[float]]:
        for i, ready in enumerate(entered):
            if ready.source == "7":
                raise CandidateError("crash", "SIGSEGV", i)
        return [[float(ready.source)] * least for ready in entered]


def test_a_row() -> None:
    factors = {"a": 2, "b": 5, "c": 7, "d": 3, "same as c": 7, "same as a": 2}
    schedules = {name: Schedule().unroll(f"f{i}", "x", n) for i, (name, n) in enumerate(factors.items())}
    made = row(Stub(), schedules, "wide", "d", 0.1, 4)  # type: ignore[arg-type]
    assert {label: took[0] for label, took in made.times.items()} == {"a": 2.0, "d": 3.0, "same as a": 2.0}
    assert {label: r.median for label, r in made.ratios.items()} == {"a": 1.0, "d": 1.5, "same as a": 1.0}
    assert (made.bucket, made.items, made.rounds, made.noise, made.best) == ("wide", 4, 7, 0.0, "a")
    assert made.over("d", "a").median == 1.5 and made.loss("d") == 0.5 and made.loss("c") == float("inf")
    for default in ("b", "c"):
        with pytest.raises(TuneError, match=r"the default schedule fails \((compile|crash)\)"):
            row(Stub(), schedules, "wide", default, 0.1)  # type: ignore[arg-type]
