"""Permutes that read windows of the same memory, a few bytes apart, share one window.

The channels of a pixel, or neighbouring taps of a filter, then cost one read instead of one each. The shared window
begins where the first of them does, so nothing is read that was not read before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from autosched.lang.types import i32
from autosched.lower import algebra
from autosched.lower.algebra import add, const
from autosched.lower.demands import WindowRequirement, shared_name
from autosched.lower.ir import (
    Assign,
    Binary,
    Block,
    Broadcast,
    Const,
    Expr,
    Let,
    Load,
    Permute,
    Stmt,
    Store,
    expressions,
    map_bodies,
    map_expressions,
    statements,
    transform,
    walk,
)

#: Windows share where they begin within this part of a window: further apart they would seldom fit.
_PART = 4

#: What windows that can share have in common: the buffer, the width, and the address but for a constant.
_Shared: TypeAlias = tuple[str, int, frozenset[tuple[Expr, int]]]


def share_windows(block: Block, excluded: frozenset[str]) -> Block:
    """`block` with shared windows, but for sources in `excluded`, whose windows have turned out too small for that."""
    inner = tuple(map_bodies(s, lambda body: share_windows(body, excluded)) for s in block)
    begins: dict[_Shared, set[int]] = defaultdict(set)
    for found in _permutes(inner):
        key, begin = _place(found)
        if shared_name(_window(found).buffer) not in excluded:
            begins[key].add(begin)
    firsts = {key: _firsts(sorted(places), key[1]) for key, places in begins.items()}

    def rule(e: Expr) -> Expr | None:
        if not isinstance(e, Permute):
            return None
        key, begin = _place(e)
        first, shared = firsts.get(key, {}).get(begin, (begin, False))
        return _moved(e, begin - first) if shared else None

    return tuple(_mapped(stmt, rule) for stmt in inner)


def requirements(block: Block) -> list[WindowRequirement]:
    """What the permutes in a block, at any depth, need of the arrays of a call."""
    found = []
    for stmt in statements(block):
        for e in (e for top in expressions(stmt) for e in walk(top)):
            if isinstance(e, Permute):
                window = _window(e)
                found.append(WindowRequirement(window.buffer, window.width, e.extent, e.shared))
    return found


def _mapped(stmt: Stmt, rule: Callable[[Expr], Expr | None]) -> Stmt:
    return map_expressions(stmt, lambda e: transform(e, rule)) if isinstance(stmt, (Let, Assign, Store)) else stmt


def _permutes(block: Iterable[Stmt]) -> Iterable[Permute]:
    """The permutes that stand directly in a block's statements."""
    for stmt in block:
        if isinstance(stmt, (Let, Assign, Store)):
            yield from (e for top in expressions(stmt) for e in walk(top) if isinstance(e, Permute))


def _window(permute: Permute) -> Load:
    assert isinstance(permute.window, Load)
    return permute.window


def _place(permute: Permute) -> tuple[_Shared, int]:
    """What windows that can share have in common, and where this one begins."""
    window = _window(permute)
    terms, begin = algebra.linear(window.address)
    return (window.buffer, window.width, frozenset(terms.items())), begin


def _firsts(begins: list[int], width: int) -> dict[int, tuple[int, bool]]:
    """For each begin, that of its window, and whether others are there."""
    groups: list[list[int]] = []
    for begin in begins:
        if groups and begin - groups[-1][0] <= width // _PART:
            groups[-1].append(begin)
        else:
            groups.append([begin])
    return {begin: (group[0], len(group) > 1) for group in groups for begin in group}


def _moved(permute: Permute, distance: int) -> Permute:
    """The same bytes from a window that begins `distance` bytes earlier."""
    window = _window(permute)
    offsets = permute.offsets
    if distance:
        offsets = Binary("add", offsets, Broadcast(Const(distance, i32), offsets.lanes))
    return replace(
        permute,
        window=replace(window, address=add(window.address, const(-distance))),
        offsets=offsets,
        extent=add(permute.extent, const(distance)),
        shared=True,
    )
