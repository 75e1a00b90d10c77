"""Spaces are constructed: exactly the allowed points, counted without visiting them, sampled evenly."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.errors import ScheduleError, SpaceError
from autosched.schedule import Schedule
from autosched.tune.constraints import AtMost, Condition, Constraint, Forbid, Multiple, Require
from autosched.tune.space import Knob, Ref, Space, Template


def knob(name: str, *choices: Any, when: Condition = Condition()) -> Knob:  # noqa: B008 (immutable)
    return Knob(name, choices, choices[0], when)


def where(**terms: Any) -> Condition:
    return Condition(tuple((n, v if isinstance(v, tuple) else (v,)) for n, v in terms.items()))


TILES = Space(
    "tiles",
    (
        knob("mode", "plain", "tiled"),
        knob("tile", 8, 16, 32, when=where(mode="tiled")),
        knob("lanes", 4, 8, 16),
        knob("unroll", 1, 2, 4, 8),
    ),
    (Multiple("tile", "lanes"), AtMost(("lanes", "unroll"), 32), Forbid(where(mode="plain", unroll=8))),
    (
        Template(
            "out",
            "split",
            (("var", "x"), ("outer", "xo"), ("inner", "xi"), ("factor", Ref("tile"))),
            where(mode="tiled"),
        ),
        Template("out", "vectorize", (("var", "xi"), ("lanes", Ref("lanes"))), where(mode="tiled")),
        Template("out", "vectorize", (("var", "x"), ("lanes", Ref("lanes"))), where(mode="plain")),
    ),
)  # fmt: skip


def brute_force(space: Space) -> list[dict[str, Any]]:
    """All allowed points by trying every combination."""
    inactive = object()
    found = []
    for values in itertools.product(*((*k.choices, inactive) for k in space.knobs)):
        point: dict[str, Any] = {}
        for k, value in zip(space.knobs, values, strict=True):
            if k.when.holds(point) != (value is not inactive):
                break
            if value is not inactive:
                point[k.name] = value
        else:
            if all(c.holds(point) for c in space.constraints):
                found.append(point)
    return found


def test_points_are_the_allowed_ones() -> None:
    points = list(TILES.points())
    expected = brute_force(TILES)
    assert sorted(map(str, points)) == sorted(map(str, expected))
    assert TILES.count() == len(expected) == len({str(p) for p in points})
    assert {"mode": "plain", "lanes": 4, "unroll": 1} in points
    assert all(TILES.contains(p) for p in points)


def test_contains_refuses() -> None:
    for wrong in (
        {"mode": "plain", "lanes": 4},
        {"mode": "plain", "lanes": 4, "unroll": 8},
        {"mode": "plain", "tile": 8, "lanes": 4, "unroll": 1},
        {"mode": "tiled", "tile": 8, "lanes": 16, "unroll": 1},
        {"mode": "tiled", "tile": 8, "lanes": 4, "unroll": True},
        {"mode": "plain", "lanes": 4, "unroll": 1, "more": 1},
    ):
        assert not TILES.contains(wrong)


def test_options_never_lead_nowhere() -> None:
    """Of two knobs that must multiply to at most 4, the first is not offered what leaves the second nothing."""
    space = Space("s", (knob("a", 1, 2, 4, 8), knob("b", 2, 4)), (AtMost(("a", "b"), 4),))
    assert space.options(space.knobs[0], {}) == (1, 2)
    assert space.options(space.knobs[1], {"a": 2}) == (2,)
    assert space.options(TILES.knobs[1], {}) == () if "tile" in space._place else True


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    knobs: list[Knob] = []
    for i in range(draw(st.integers(1, 5))):
        choices = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 4, 6, 8]), min_size=1, max_size=4, unique=True)))
        when = Condition()
        if knobs and draw(st.booleans()):
            other = draw(st.sampled_from(knobs))
            when = Condition(((other.name, (draw(st.sampled_from(other.choices)),)),))
        knobs.append(Knob(f"k{i}", choices, choices[0], when))

    def term() -> Condition:
        chosen = draw(st.lists(st.sampled_from(knobs), min_size=1, max_size=2, unique_by=lambda k: k.name))
        return Condition(tuple((k.name, (draw(st.sampled_from(k.choices)),)) for k in chosen))

    constraints: list[Constraint] = []
    for kind in draw(st.lists(st.sampled_from(["forbid", "require", "product", "multiple"]), max_size=3)):
        names = st.sampled_from([k.name for k in knobs])
        if kind == "forbid":
            constraints.append(Forbid(term()))
        elif kind == "require":
            constraints.append(Require(term(), term()))
        elif kind == "product":
            constraints.append(AtMost(tuple(draw(st.lists(names, min_size=1, unique=True))), draw(st.integers(1, 60))))
        else:
            constraints.append(Multiple(draw(names), draw(names)))
    return Space("random", tuple(knobs), tuple(constraints))


@given(spaces(), st.integers(0, 1000))
@settings(max_examples=200, deadline=None)
def test_random_spaces(space: Space, seed: int) -> None:
    expected = {str(p) for p in brute_force(space)}
    assert space.count() == len(expected)
    assert {str(p) for p in space.points()} == expected
    if expected:
        assert str(space.sample(random.Random(seed))) in expected
        assert str(space.default()) in expected
    else:
        with pytest.raises(SpaceError, match="leave no point"):
            space.sample(random.Random(seed))
        with pytest.raises(SpaceError, match="leave no point"):
            space.default()


def test_sampling_is_even() -> None:
    rng = random.Random(0)
    n = TILES.count()
    drawn = Counter(str(TILES.sample(rng)) for _ in range(200 * n))
    assert len(drawn) == n
    assert max(drawn.values()) < 290 and min(drawn.values()) > 120


def test_large_spaces_are_counted_at_once() -> None:
    space = Space("large", tuple(knob(f"k{i}", *range(1, 11)) for i in range(40)), (AtMost(("k0", "k39"), 10),))
    assert space.count() == 10**38 * sum(10 // a for a in range(1, 11))


def test_schedules() -> None:
    tiled = TILES.schedule({"mode": "tiled", "tile": 16, "lanes": 8, "unroll": 1})
    assert tiled == Schedule().split("out", "x", "xo", "xi", 16).vectorize("out", "xi", 8)
    assert TILES.schedule({"mode": "plain", "lanes": 4, "unroll": 1}) == Schedule().vectorize("out", "x", 4)
    broken = Space("s", (knob("f", 0),), (), (Template("out", "unroll", (("var", "x"), ("factor", Ref("f")))),))
    with pytest.raises(ScheduleError, match="unroll of Func out: factor is 0"):
        broken.schedule({"f": 0})


def test_nearest_gives_way_to_constraints() -> None:
    assert TILES.nearest({"mode": "tiled", "tile": 8, "lanes": 16, "unroll": 8}) == {
        "mode": "tiled", "tile": 8, "lanes": 8, "unroll": 4,
    }  # fmt: skip
    assert TILES.default() == {"mode": "plain", "lanes": 4, "unroll": 1}
    other = replace(TILES, named={"wide": {"lanes": 8}})
    assert other.default("wide") == {"mode": "plain", "lanes": 8, "unroll": 1}
    assert other.default("narrow") == other.default() == TILES.default()


def test_a_space_is_shown_as_the_command_shows_it() -> None:
    at = replace(knob("at", 1, 2, when=where(place=("in",))), summary="how far")
    space = Space("s", (knob("place", "in", "out"), at), (), (), {"far": {"place": "in", "at": 2}})
    assert str(space).splitlines() == [
        f"s: 3 points of 2 knobs, space {space.identity}",
        "",
        "knobs (* is the default)",
        "  place: in* out",
        f"  at: 1* 2, where {at.when}",
        "      how far",
        "",
        "named points, tried first",
        '  far: {"place": "in", "at": 2}',
    ]


def test_identity() -> None:
    assert TILES.identity == Space("renamed", TILES.knobs, TILES.constraints, TILES.templates).identity
    assert TILES.identity != Space("tiles", TILES.knobs, TILES.constraints[:2], TILES.templates).identity
    assert TILES.identity != Space("tiles", TILES.knobs, TILES.constraints, TILES.templates[:2]).identity
