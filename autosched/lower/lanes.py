"""The vectorized loop around a statement, and how expressions depend on it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from autosched.lower import algebra
from autosched.lower.algebra import maximum
from autosched.lower.ir import Binary, Broadcast, Expr, Name, names
from autosched.lower.names import end_name


class Guard:
    """The run-time guard of a vectorized loop: no whole-window read inside it goes past the end of its source.

    `inside` are the names that the loop's body binds. The condition stands before the loop, so it has none of them.
    """

    def __init__(self, inside: frozenset[str]) -> None:
        self.inside = inside
        self._reaches: dict[str, Expr] = {}

    def reach(self, source: str, end: Expr) -> None:
        """Note a window of `source` that ends in front of the address `end`."""
        self._reaches[source] = maximum(self._reaches.get(source, end), end)

    def condition(self) -> Expr | None:
        """The condition that holds for all windows that are read; None where there are none."""
        within: list[Expr] = [Binary("le", end, Name(end_name(source))) for source, end in self._reaches.items()]
        return reduce(lambda a, b: Binary("and", a, b), within) if within else None


@dataclass(frozen=True)
class Lanes:
    """The vectorized loop around a statement: its variable, lanes, and how many of them count (None: all).

    `left` is congruent to the number of iterations remaining, modulo the vector width.
    """

    var: str
    lanes: int
    count: Expr | None
    vectors: frozenset[str]
    left: Expr
    guard: Guard | None = None  # windows may be read whole where it is told how far they reach


def depends(expr: Expr, ctx: Lanes) -> bool:
    """Whether `expr` differs from lane to lane."""
    found = names(expr)
    return ctx.var in found or bool(found & ctx.vectors)


def affine(expr: Expr, ctx: Lanes) -> tuple[Expr, int] | None:
    """`expr` as (value at lane 0, growth per lane), if it is so."""
    terms, c = algebra.linear(expr)
    coefficient = terms.pop(Name(ctx.var), 0) if Name(ctx.var) in terms else 0
    if any(depends(t, ctx) for t in terms):
        return None
    return algebra.from_linear(terms, c), coefficient


def spread(value: Expr, lanes: int) -> Expr:
    """`value` with lanes, the same in all where it has none."""
    return value if value.lanes == lanes else Broadcast(value, lanes)
