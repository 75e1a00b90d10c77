"""Dot products of bytes whose lanes all get the same weights are computed in staggered order of lanes.

Making groups of four bytes, and narrowing sums to bytes, moves data between lanes. In staggered order neither crosses
16-byte blocks, which takes half the instructions. Between the two, everything must be the same for all lanes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, TypeAlias

from autosched.lang.types import i32, u8
from autosched.lower.demands import SHUFFLE_BYTES
from autosched.lower.ir import (
    Assign,
    Block,
    Broadcast,
    Cast,
    Const,
    Dot,
    Expr,
    FromFirstOfFour,
    Group,
    Let,
    Name,
    Stmt,
    expressions,
    map_bodies,
    map_expressions,
    names,
    statements,
    transform,
    walk,
)

#: How lanes of a value are ordered; "any" where all are the same, "wrong" where it cannot be computed from what is
#: staggered.
Order: TypeAlias = Literal["natural", "staggered", "any", "wrong"]


def stagger(block: Block) -> Block:
    """`block`, meaning the same, with accumulators in staggered order where nothing sees it."""
    begun = {s.name for s in block if isinstance(s, Assign) and s.name not in names(s.value)}
    found = _sums(block, begun)
    bound = {s.name for s in statements(block) if isinstance(s, Let)}
    if found and found <= begun | bound and all(_fits(stmt, found) for stmt in statements(block)):
        block = tuple(_rewritten(stmt, found) for stmt in block)
    return tuple(map_bodies(stmt, stagger) for stmt in block)


def _sums(block: Block, begun: set[str]) -> set[str]:
    """Those of `begun` that are sums of groups of bytes with the same weights in all lanes, and what is computed of
    them.
    """
    found = {
        stmt.name
        for stmt in statements(block)
        if isinstance(stmt, Assign) and stmt.name in begun and isinstance(stmt.value, Dot) and _is_candidate(stmt.value)
    }
    while True:
        before = len(found)
        for stmt in statements(block):
            if isinstance(stmt, (Let, Assign)) and _order(stmt.value, found) == "staggered":
                found.add(stmt.name)
        if len(found) == before:
            return found


def _is_candidate(dot: Dot) -> bool:
    data = dot.data
    return (
        isinstance(data, Group)
        and not data.staggered
        and len(data.parts) == 4
        and all(p.elem.bits == 8 for p in data.parts)
        and dot.lanes % SHUFFLE_BYTES == 0
        and isinstance(dot.weights, Broadcast)
    )


def _fits(stmt: Stmt, found: set[str]) -> bool:
    """Whether a statement can be computed with `found` staggered."""
    if isinstance(stmt, (Let, Assign)) and stmt.name in found:
        return _order(stmt.value, found) in ("staggered", "any")
    return _none_staggered(expressions(stmt), found)


def _order(e: Expr, found: set[str]) -> Order:
    if isinstance(e, Name) and e.lanes > 1:
        return "staggered" if e.name in found else "natural"
    if isinstance(e, (Const, Broadcast)) or e.lanes == 1:
        return "any" if not _mentions(e, found) else "wrong"
    if isinstance(e, Dot) and _is_candidate(e):
        if _order(e.acc, found) == "natural":
            return "natural" if _none_staggered(e.data.children, found) else "wrong"
        return "staggered" if _none_staggered(e.data.children, found) else "wrong"
    orders = {_order(c, found) for c in e.children} - {"any"}
    if isinstance(e, Cast) and orders == {"staggered"} and _is_exit(e):
        return "natural"
    if "wrong" in orders or len(orders) > 1:
        return "wrong"
    if orders == {"staggered"}:
        lane_by_lane = all(c.lanes == e.lanes for c in e.children) and not isinstance(e, (Group, FromFirstOfFour))
        return "staggered" if lane_by_lane else "wrong"
    return "natural"


def _none_staggered(parts: Iterable[Expr], found: set[str]) -> bool:
    return all(_order(part, found) in ("natural", "any") for part in parts)


def _is_exit(e: Cast) -> bool:
    return e.saturating and e.to == u8 and e.a.elem == i32


def _mentions(e: Expr, found: set[str]) -> bool:
    return any(isinstance(x, Name) and x.lanes > 1 and x.name in found for x in walk(e))


def _rewritten(stmt: Stmt, found: set[str]) -> Stmt:
    def rule(e: Expr) -> Expr | None:
        if isinstance(e, Dot) and _is_candidate(e) and _order(e, found) == "staggered":
            assert isinstance(e.data, Group)
            return replace(e, acc=transform(e.acc, rule), data=replace(e.data, staggered=True))
        if isinstance(e, Cast) and _is_exit(e) and _order(e.a, found) == "staggered":
            return replace(e, a=transform(e.a, rule), staggered=True)
        return None

    changed = map_expressions(stmt, lambda e: transform(e, rule))
    return map_bodies(changed, lambda body: tuple(_rewritten(s, found) for s in body))
