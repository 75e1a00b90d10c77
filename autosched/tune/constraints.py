"""Conditions and constraints on knobs: plain data with a meaning, never code.

To add a kind of constraint: a dataclass here, its entry in KINDS, a test.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

Value = int | str | bool
#: The knobs that are active, and what they are set to.
Point = Mapping[str, Value]


@dataclass(frozen=True)
class Condition:
    """Holds where every named knob is active and has one of its values."""

    terms: tuple[tuple[str, tuple[Value, ...]], ...] = ()

    @property
    def knobs(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.terms)

    def holds(self, point: Point) -> bool:
        return all(name in point and point[name] in values for name, values in self.terms)

    def __str__(self) -> str:
        return " and ".join(f"{name} is {' or '.join(map(str, values))}" for name, values in self.terms) or "always"


ALWAYS = Condition()


class Constraint(Protocol):
    """Says whether a point is allowed. It is asked once all of its `knobs` are set or inactive."""

    @property
    def knobs(self) -> tuple[str, ...]: ...

    def holds(self, point: Point) -> bool: ...


@runtime_checkable
class Summed(Constraint, Protocol):
    """A constraint on many knobs that says what matters of those that are set: points with as much are counted once."""

    def known(self, point: Point) -> Hashable: ...


@dataclass(frozen=True)
class Forbid:
    """The combination is not allowed."""

    keys: ClassVar = ("forbid",)
    forbid: Condition

    @property
    def knobs(self) -> tuple[str, ...]:
        return self.forbid.knobs

    def holds(self, point: Point) -> bool:
        return not self.forbid.holds(point)

    def __str__(self) -> str:
        return f"not ({self.forbid})"


@dataclass(frozen=True)
class Require:
    """Where `when` holds, `require` must hold."""

    keys: ClassVar = ("when", "require")
    when: Condition
    require: Condition

    @property
    def knobs(self) -> tuple[str, ...]:
        return (*self.when.knobs, *self.require.knobs)

    def holds(self, point: Point) -> bool:
        return not self.when.holds(point) or self.require.holds(point)

    def __str__(self) -> str:
        return f"{self.require} where {self.when}"


@dataclass(frozen=True)
class AtMost:
    """The product of the active ones of the knobs is at most a limit."""

    keys: ClassVar = ("product", "at_most")
    product: tuple[str, ...]
    at_most: int

    @property
    def knobs(self) -> tuple[str, ...]:
        return self.product

    def holds(self, point: Point) -> bool:
        return math.prod(int(point[name]) for name in self.product if name in point) <= self.at_most

    def __str__(self) -> str:
        return f"{' * '.join(self.product)} <= {self.at_most}"


@dataclass(frozen=True)
class Multiple:
    """A knob is a multiple of another, where both are active."""

    keys: ClassVar = ("knob", "multiple_of")
    knob: str
    multiple_of: str

    @property
    def knobs(self) -> tuple[str, ...]:
        return (self.knob, self.multiple_of)

    def holds(self, point: Point) -> bool:
        if self.knob not in point or self.multiple_of not in point:
            return True
        return int(point[self.knob]) % int(point[self.multiple_of]) == 0

    def __str__(self) -> str:
        return f"{self.knob} is a multiple of {self.multiple_of}"


#: Every kind, told apart in files by its keys.
KINDS: tuple[type[Forbid] | type[Require] | type[AtMost] | type[Multiple], ...] = (Forbid, Require, AtMost, Multiple)
