"""The vectorized loop around a statement, and how expressions depend on it."""

from __future__ import annotations

from dataclasses import dataclass

from autosched.lower import algebra
from autosched.lower.ir import Broadcast, Expr, Name, names


@dataclass(frozen=True)
class Lanes:
    """The vectorized loop around a statement: its variable, lanes, and how many of them count (None: all).

    `left` is how many iterations there are from these on, or any number that differs from it by whole vectors.
    """

    var: str
    lanes: int
    count: Expr | None
    vectors: frozenset[str]
    left: Expr
    windows: bool = False  # windows may be read whole: a check around says that they do not pass the source's end


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
