"""Neighbours of points, and winners without what buys nothing."""

from __future__ import annotations

import random
from pathlib import Path

import blur_family
import pytest

from autosched.schedule import Schedule
from autosched.tune.bench import LocalBench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.constraints import AtMost, Condition, Forbid
from autosched.tune.measure import Race
from autosched.tune.polish import bare, neighbours, simplify, without_each
from autosched.tune.space import Knob, Space
from autosched.tune.space_file import parse_space

SPACE = parse_space(blur_family.SPACE, Path("blur-test.toml")).space


def test_neighbours_differ_in_one_knob() -> None:
    """Numbers go one choice up or down, names to any other; what a constraint forbids is not there."""
    point = {"rows": "at", "block": 16, "lanes": 16}
    near = list(neighbours(SPACE, point))
    assert {"rows": "at", "block": 16, "lanes": 8} in near and {"rows": "at", "block": 16, "lanes": 32} in near
    assert {"rows": "at", "block": 8, "lanes": 16} in near and {"rows": "root", "block": 16, "lanes": 16} in near
    assert {"rows": "at", "block": 1, "lanes": 16} not in near  # two choices away
    inline = [p for p in near if p["rows"] == "inline"]
    assert inline == [{"rows": "inline", "block": 8, "lanes": 16}]  # 16 is forbidden there, and 8 is nearest


def test_neighbours_are_points_of_any_space() -> None:
    knobs = (
        Knob("mode", ("a", "b", "c"), "a"),
        Knob("n", (1, 2, 4, 8), 2, Condition((("mode", ("b", "c")),))),
        Knob("m", (1, 2, 4, 8), 2),
    )
    space = Space("s", knobs, (AtMost(("n", "m"), 16), Forbid(Condition((("mode", ("c",)), ("m", (8,)))))))
    rng = random.Random(0)
    for _ in range(50):
        point = space.sample(rng)
        near = list(neighbours(space, point))
        assert near and all(space.contains(p) and p != point for p in near)


class Weighed(LocalBench):
    """Every directive takes a time of its own, the default's is 10; nothing is compiled."""

    def __init__(
        self, costs: dict[str, float], same_code: str = "", noise: float = 0.0, saves: dict[str, int] | None = None
    ) -> None:
        self.saves = saves or {}
        self.noise = noise
        self.costs = costs
        self.same_code = same_code
        self.raced = 0

    def prepare(self, schedule: Schedule) -> Ready:
        ops = [x.op for items in schedule.funcs.values() for x in items]
        if "unroll" in ops and "vectorize" not in ops:
            raise CandidateError("compile", "no")
        memory = (1 << 24) - sum(self.saves.get(op, 0) for op in ops)
        return Ready(schedule, ",".join(op for op in ops if op != self.same_code), memory)

    def race(self, candidate: Ready, rival: Ready, *, seconds: float = 0.3, least: int = 3) -> Race:
        self.raced += 1
        ours, theirs = (10 + sum(self.costs.get(op, 0.0) for op in r.source.split(",")) for r in (candidate, rival))
        shakes = [1 + self.noise * (i - least // 2) / least for i in range(least)]
        return Race(tuple(ours * s for s in shakes), (theirs,) * least, False)


FULL = Schedule().parallel("blur", "y").vectorize("blur", "x", 8).compute_root("rows").vectorize("rows", "x", 8)


def shortened(schedule: Schedule, bench: Weighed, rounds: int = 1000) -> list[str]:
    left = iter(range(rounds))
    pipeline = blur_family.pipeline()
    made = simplify(pipeline, bench, bench.prepare(schedule), lambda: next(left, None) is None)
    return sorted(f"{func}.{x.op}" for func, items in made.schedule.funcs.items() for x in items)


def test_what_buys_nothing_goes() -> None:
    assert shortened(FULL, Weighed({"vectorize": -2.0})) == ["blur.vectorize", "rows.vectorize"]
    assert shortened(FULL, Weighed({"vectorize": -2.0, "parallel": -3.0, "compute_root": -1.0})) == sorted(
        f"{func}.{x.op}" for func, items in FULL.funcs.items() for x in items
    )


def test_what_saves_half_of_the_memory_stays() -> None:
    bench = Weighed({"vectorize": -2.0}, saves={"parallel": 1 << 23, "compute_root": 1 << 21})
    assert shortened(FULL, bench) == ["blur.parallel", "blur.vectorize", "rows.vectorize"]


def test_small_losses_do_not_add_up() -> None:
    """Each directive is worth 0.6 %, which cannot be told from nothing in this noise; only one of them goes."""
    bench = Weighed({"parallel": -0.06, "vectorize": -0.06, "compute_root": -0.06}, noise=0.06)
    assert len(shortened(FULL, bench)) == 3
    bench.noise = 0.0
    assert len(shortened(FULL, bench)) == 4


def test_same_code_needs_no_race() -> None:
    bench = Weighed({"vectorize": -2.0, "compute_root": -2.0}, same_code="parallel")
    assert shortened(FULL, bench) == ["blur.vectorize", "rows.compute_root", "rows.vectorize"]
    assert bench.raced == 4  # blur.vectorize before and after parallel is gone, and the other two


def test_bare_drops_what_changes_no_code_and_nothing_else() -> None:
    bench = Weighed({}, same_code="parallel")  # the others cost nothing, but are code
    made = bare(blur_family.pipeline(), bench, bench.prepare(FULL), lambda: False)
    assert [x.op for items in made.schedule.funcs.values() for x in items] == ["vectorize", "compute_root", "vectorize"]
    assert bench.raced == 0
    whole = bench.prepare(FULL)
    assert bare(blur_family.pipeline(), bench, whole, lambda: True) is whole


def test_illegal_and_broken_ones_are_passed_over() -> None:
    """Without the split there is no loop yi; unroll does not compile without vectorize here."""
    schedule = Schedule().split("blur", "y", "yo", "yi", 4).unroll("blur", "yi", 4).vectorize("blur", "x", 8)
    bench = Weighed({"unroll": -3.0})
    assert shortened(schedule, bench) == ["blur.split", "blur.unroll", "blur.vectorize"]


def test_it_ends_when_time_is_over() -> None:
    assert len(shortened(FULL, Weighed({}), rounds=1)) == 3
    assert len(shortened(FULL, Weighed({}), rounds=0)) == 4


def test_without_each() -> None:
    names = [name for name, _ in without_each(FULL)]
    assert names[0] == "vectorize('x', 8, 'guard') of blur" and len(names) == 4
    assert all(sum(map(len, s.funcs.values())) == 3 for _, s in without_each(FULL))
    with pytest.raises(StopIteration):
        next(without_each(Schedule()))
