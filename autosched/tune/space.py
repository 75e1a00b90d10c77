"""The space of schedules of a pipeline: knobs, constraints that construct it, and directives that knobs fill in.

Points that break a constraint are never made: choices that lead nowhere are not offered, so nothing is rejected.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from autosched.errors import SpaceError
from autosched.schedule import Schedule
from autosched.schedule import directives as d
from autosched.tune.constraints import ALWAYS, Condition, Constraint, Point, Summed, Value

_INACTIVE = object()


@dataclass(frozen=True)
class Knob:
    """A choice that the tuner makes, where `when` holds; otherwise it is inactive and not part of a point."""

    name: str
    choices: tuple[Value, ...]
    default: Value
    when: Condition = ALWAYS
    summary: str = ""

    @property
    def ordered(self) -> bool:
        """Whether the choices are numbers, so that near ones are alike."""
        return all(isinstance(c, int) and not isinstance(c, bool) for c in self.choices)

    def __str__(self) -> str:
        choices = " ".join(f"{c}{'*' * (c == self.default)}" for c in self.choices)
        active = f", where {self.when}" if self.when.terms else ""
        return f"{self.name}: {choices}{active}" + (f"\n    {self.summary}" if self.summary else "")


@dataclass(frozen=True)
class Ref:
    """In a template: the value of a knob."""

    knob: str


@dataclass(frozen=True)
class Template:
    """A directive of `func` with knobs in place of arguments, there where `when` holds."""

    func: str
    op: str
    arguments: tuple[tuple[str, Any], ...]
    when: Condition = ALWAYS

    @property
    def knobs(self) -> tuple[str, ...]:
        """The knobs whose values its arguments take."""
        return tuple(value.knob for _, value in self.arguments if isinstance(value, Ref))

    def fill(self, point: Point) -> d.Directive:
        """The directive at a point."""
        made = {name: point[value.knob] if isinstance(value, Ref) else value for name, value in self.arguments}
        return d.from_json({"op": self.op, **made}, self.func)


@dataclass(frozen=True)
class Space:
    """All points, and the schedule of each. Knobs come in an order in which each depends on earlier ones only.

    `named` are points worth trying; one that is called after a bucket is its default.
    """

    name: str
    knobs: tuple[Knob, ...]
    constraints: tuple[Constraint, ...] = ()
    templates: tuple[Template, ...] = ()
    named: Mapping[str, Point] = field(default_factory=dict)

    def __str__(self) -> str:
        """What may be chosen, in lines for people: see `autosched space`."""
        count = self.count()
        size = f"{count}" if count < 10**7 else f"{count:.3g}"
        text = f"{self.name}: {size} points of {len(self.knobs)} knobs, space {self.identity}"
        for title, entries in (
            ("knobs (* is the default)", [str(knob) for knob in self.knobs]),
            ("constraints", [str(c) for c in self.constraints]),
            ("named points, tried first", [f"{name}: {json.dumps(dict(p))}" for name, p in self.named.items()]),
        ):
            if entries:
                text += "\n".join([f"\n\n{title}", *("  " + entry.replace("\n", "\n  ") for entry in entries)])
        return text

    def schedule(self, point: Point) -> Schedule:
        """The schedule that a point stands for. It may still be illegal for a pipeline."""
        made: dict[str, tuple[d.Directive, ...]] = {}
        for t in self.templates:
            if t.when.holds(point):
                made[t.func] = (*made.get(t.func, ()), t.fill(point))
        return Schedule(made)

    @cached_property
    def identity(self) -> str:
        """A short hash of everything that decides what points there are and what they mean."""
        parts = [[repr(k.name), repr(k.choices), repr(k.when)] for k in self.knobs]
        text = json.dumps([parts, sorted(map(repr, self.constraints)), [repr(t) for t in self.templates]])
        return sha256(text.encode()).hexdigest()[:12]

    def count(self) -> int:
        """The number of points, without visiting them."""
        return self._completions(0, {})

    def options(self, knob: Knob, prefix: Point) -> tuple[Value, ...]:
        """The choices of `knob` that lead to a point, given the knobs before it; none where it is inactive."""
        i = self._place[knob.name]
        return tuple(v for v, n in self._branches(i, dict(prefix)) if n and v is not _INACTIVE)

    def points(self) -> Iterator[dict[str, Value]]:
        """Every point, in the order of choices."""

        def extend(i: int, point: dict[str, Any]) -> Iterator[dict[str, Value]]:
            if i == len(self.knobs):
                yield dict(point)
                return
            for value, n in self._branches(i, point):
                if n:
                    yield from extend(i + 1, _with(point, self.knobs[i].name, value))

        return extend(0, {})

    def sample(self, rng: random.Random) -> dict[str, Value]:
        """A point, each with the same probability. Raises SpaceError where there is none."""
        point: dict[str, Any] = {}
        for i, knob in enumerate(self.knobs):
            branches = self._branches(i, point)
            weights = [n for _, n in branches]
            if not any(weights):
                raise SpaceError(f"search space {self.name}: its constraints leave no point")
            value = rng.choices([v for v, _ in branches], weights)[0]
            point = _with(point, knob.name, value)
        return point

    def default(self, bucket: str | None = None) -> dict[str, Value]:
        """The point called after a bucket, where there is one, else that of all defaults.

        Where a constraint does not allow a default, it has the nearest choice that is allowed.
        """
        return self.nearest(self.named.get(bucket or "", {}))

    def nearest(self, wanted: Point) -> dict[str, Value]:
        """The point that follows `wanted` knob by knob as far as the constraints allow."""
        point: dict[str, Value] = {}
        kept = True
        for knob, due in zip(self.knobs, self._due, strict=True):
            if self._active(knob, point):
                point[knob.name] = wanted.get(knob.name, knob.default)
                kept = kept and any(_same(point[knob.name], v) for v in knob.choices)
            kept = kept and all(c.holds(point) for c in due)
        if kept:  # found without counting what choices leave, which takes long in a large space
            return point
        point = {}
        for knob in self.knobs:
            options = self.options(knob, point)
            if not options:
                if self._active(knob, point):
                    raise SpaceError(f"search space {self.name}: its constraints leave no point")
                continue
            target = wanted.get(knob.name, knob.default)
            point[knob.name] = target if target in options else min(options, key=lambda v: _apart(knob, v, target))
        return point

    def contains(self, point: Point) -> bool:
        """Whether `point` sets exactly the active knobs, each to a choice, and keeps all constraints."""
        built: dict[str, Value] = {}
        for knob in self.knobs:
            options = self.options(knob, built)
            if knob.name not in point:
                if options:
                    return False
                continue
            if not any(_same(point[knob.name], v) for v in options):
                return False
            built[knob.name] = point[knob.name]
        return len(built) == len(point)

    def possible(self, *extra: Constraint) -> bool:
        """Whether any point keeps `extra` constraints too."""
        return Space(self.name, self.knobs, (*self.constraints, *extra)).count() > 0

    @cached_property
    def _place(self) -> dict[str, int]:
        return {knob.name: i for i, knob in enumerate(self.knobs)}

    @cached_property
    def _due(self) -> list[list[Constraint]]:
        """The constraints that can be decided once a knob is set: those whose last knob it is."""
        due: list[list[Constraint]] = [[] for _ in self.knobs]
        for c in self.constraints:
            if c.knobs:
                due[max(self._place[name] for name in c.knobs)].append(c)
        return due

    @cached_property
    def _live(self) -> list[tuple[str, ...]]:
        """For each place, the earlier knobs that what comes from there on depends on."""
        live: list[tuple[str, ...]] = []
        for i in range(len(self.knobs) + 1):
            wanted: set[str] = set()
            for knob in self.knobs[i:]:
                wanted |= set(knob.when.knobs)
            for group in self._due[i:]:
                for c in group:
                    wanted |= set() if isinstance(c, Summed) else set(c.knobs)
            live.append(tuple(knob.name for knob in self.knobs[:i] if knob.name in wanted))
        return live

    @cached_property
    def _summed(self) -> list[list[Summed]]:
        """For each place, the later constraints that say themselves what matters to them of the knobs before it."""
        return [
            [c for group in self._due[i:] for c in group if isinstance(c, Summed)] for i in range(len(self.knobs) + 1)
        ]

    @cached_property
    def _counted(self) -> dict[tuple[Any, ...], int]:
        return {}

    def _active(self, knob: Knob, point: Mapping[str, Any]) -> bool:
        return knob.when.holds(point)

    def _branches(self, i: int, point: Mapping[str, Any]) -> list[tuple[Any, int]]:
        """What knob number `i` can be after `point`, and the number of points behind each."""
        knob = self.knobs[i]
        values: tuple[Any, ...] = knob.choices if self._active(knob, point) else (_INACTIVE,)
        made = []
        for value in values:
            longer = _with(point, knob.name, value)
            ok = all(c.holds(longer) for c in self._due[i])
            made.append((value, self._completions(i + 1, longer) if ok else 0))
        return made

    def _completions(self, i: int, point: Mapping[str, Any]) -> int:
        if i == len(self.knobs):
            return 1
        key = (i, *(point.get(name, _INACTIVE) for name in self._live[i]), *(c.known(point) for c in self._summed[i]))
        if key not in self._counted:
            self._counted[key] = sum(n for _, n in self._branches(i, point))
        return self._counted[key]


def _with(point: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    return dict(point) if value is _INACTIVE else {**point, name: value}


def _same(a: Value, b: Value) -> bool:
    return a == b and type(a) is type(b)


def _apart(knob: Knob, value: Value, target: Value) -> float:
    if isinstance(value, int) and isinstance(target, int) and knob.ordered:
        return abs(value - target)
    return abs(knob.choices.index(value) - (knob.choices.index(target) if target in knob.choices else 0))
