"""Sliding windows: an iteration leaves out what earlier ones have computed and stored.

A Func that is stored outside of the loop that computes it has an accumulator, `<func>:done`, with the last coordinate
that is there. An iteration computes what it needs beyond that, and then moves it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from autosched.lower import algebra
from autosched.lower.algebra import ONE, add, const, maximum, minimum, mul, sub
from autosched.lower.bounds import Interval
from autosched.lower.derive import loop_name
from autosched.lower.ir import Assign, Binary, Expr, Let, Name, Select, Stmt, names
from autosched.lower.stages import Box
from autosched.schedule.func_nest import ROOT, FuncNest, Level
from autosched.schedule.nest import Nest

#: The last coordinate that is there, where none is.
_NOTHING: Final = const(-(1 << 62))


@dataclass(frozen=True)
class Slide:
    """The coordinate along which a Func slides, and its number."""

    func: str
    arg: str
    dim: int

    def missing(self, needed: Interval, advances: bool, block: int | None) -> tuple[Interval, list[Stmt]]:
        """What is not there yet of the coordinates that an iteration needs, and statements to find it.

        `advances` says that no iteration begins before the one that came before it. Where coordinates are computed in
        whole blocks, `block` is the size of one.
        """
        lo, hi = needed
        done, before = _done(self.func), _before(self.func)
        out: list[Stmt] = []
        if not advances:  # where it goes back, what is there is of no use
            out.append(Assign(done.name, Select(Binary("lt", lo, before), _NOTHING, done)))
            out.append(Assign(before.name, lo))
        first = minimum(maximum(lo, add(done, ONE)), add(hi, ONE))
        if block is not None:  # whole blocks end with the box only if they begin at a multiple of them
            first = add(lo, mul(algebra.floordiv(sub(first, lo), const(block)), const(block)))
        start = Name(f"{self.func}.{self.arg}.from")
        return (start, hi), [*out, Let(start.name, first)]

    def computed(self, last: Expr) -> Stmt:
        """After an iteration: all up to `last` is there."""
        done = _done(self.func)
        return Assign(done.name, maximum(done, last))


def slide(nest: Nest, g: FuncNest, level: Level, region: Box) -> Slide | None:
    """Along which coordinate of `g`, of which it needs `region`, an iteration of `level` leaves out what is there.

    None where it has to compute all of it.
    """
    if g.store == g.compute or not directly_inside(nest, g):
        return None
    loop = loop_name(level.func, level.var)
    moving = [i for i, (lo, hi) in enumerate(region) if loop in (names(lo) | names(hi))]
    if len(moving) > 1:
        return None
    dim = moving[0] if moving else 0
    return Slide(g.name, g.func.args[dim].name, dim)


def directly_inside(nest: Nest, g: FuncNest) -> bool:
    """Whether `g` is computed in the loop just inside of where it is stored."""
    path = nest.path(g.name)
    between = path[path.index(g.store) + 1 :] if g.store != ROOT else path
    return len(between) == 1


def nothing_there(func: str) -> list[Stmt]:
    """Where a Func gets storage: none of it is there."""
    return [Assign(name.name, _NOTHING) for name in (_done(func), _before(func))]


def _done(func: str) -> Name:
    """The last coordinate that is there."""
    return Name(f"{func}:done")


def _before(func: str) -> Name:
    """Where the iteration before began."""
    return Name(f"{func}:before")
