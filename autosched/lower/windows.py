"""Permutes and slices that read windows of the same memory, a few bytes apart, share one window.

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
    Concat,
    Const,
    Expr,
    Let,
    Load,
    Permute,
    Slice,
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

#: What reads a window.
_Reader: TypeAlias = Permute | Slice

#: What windows that can share have in common: the buffer, the width, and the addresses but for one constant.
_Shared: TypeAlias = tuple[str, int, tuple[tuple[frozenset[tuple[Expr, int]], int], ...]]


def share_windows(block: Block, excluded: frozenset[str]) -> Block:
    """`block` with shared windows, but for sources in `excluded`, whose windows have turned out too small for that."""
    inner = tuple(map_bodies(s, lambda body: share_windows(body, excluded)) for s in block)
    begins: dict[_Shared, set[int]] = defaultdict(set)
    for found in _readers(inner):
        key, begin = _place(found)
        if shared_name(_windows(found)[0].buffer) not in excluded:
            begins[key].add(begin)
    firsts = {key: _firsts(sorted(places), key[1]) for key, places in begins.items()}

    def rule(e: Expr) -> Expr | None:
        if not isinstance(e, _Reader):
            return None
        key, begin = _place(e)
        first, shared = firsts.get(key, {}).get(begin, (begin, False))
        fits = (algebra.value_of(e.extent) or 0) + begin - first <= key[1]
        return _moved(e, begin - first) if shared and fits else None

    return tuple(_mapped(stmt, rule) for stmt in inner)


def requirements(block: Block) -> list[WindowRequirement]:
    """What the readers of windows in a block, at any depth, need of the arrays of a call."""
    found = []
    for stmt in statements(block):
        for e in (e for top in expressions(stmt) for e in walk(top)):
            if isinstance(e, _Reader):
                window = _windows(e)[0]
                found.append(WindowRequirement(window.buffer, window.width, e.extent, e.shared))
    return found


def _mapped(stmt: Stmt, rule: Callable[[Expr], Expr | None]) -> Stmt:
    return map_expressions(stmt, lambda e: transform(e, rule)) if isinstance(stmt, (Let, Assign, Store)) else stmt


def _readers(block: Iterable[Stmt]) -> Iterable[_Reader]:
    """The readers of windows that stand directly in a block's statements."""
    for stmt in block:
        if isinstance(stmt, (Let, Assign, Store)):
            yield from (e for top in expressions(stmt) for e in walk(top) if isinstance(e, _Reader))


def _windows(reader: _Reader) -> tuple[Load, ...]:
    """What is read: one window, or one for every few lanes."""
    found = reader.window.parts if isinstance(reader.window, Concat) else (reader.window,)
    return tuple(w for w in found if isinstance(w, Load))


def _place(reader: _Reader) -> tuple[_Shared, int]:
    """What windows that can share have in common, and where this one begins."""
    windows = _windows(reader)
    addresses = [algebra.linear(w.address) for w in windows]
    begin = addresses[0][1]
    places = tuple((frozenset(terms.items()), constant - begin) for terms, constant in addresses)
    return (windows[0].buffer, windows[0].width, places), begin


def _firsts(begins: list[int], width: int) -> dict[int, tuple[int, bool]]:
    """For each begin, that of its window, and whether others are there."""
    groups: list[list[int]] = []
    for begin in begins:
        if groups and begin - groups[-1][0] <= width // _PART:
            groups[-1].append(begin)
        else:
            groups.append([begin])
    return {begin: (group[0], len(group) > 1) for group in groups for begin in group}


def _moved(reader: _Reader, distance: int) -> _Reader:
    """The same bytes from a window that begins `distance` bytes earlier."""
    windows = tuple(replace(w, address=add(w.address, const(-distance))) for w in _windows(reader))
    moved = replace(
        reader,
        window=Concat(windows) if isinstance(reader.window, Concat) else windows[0],
        extent=add(reader.extent, const(distance)),
        shared=True,
    )
    if isinstance(moved, Slice):
        return replace(moved, begin=moved.begin + distance)
    if distance:
        moved = replace(moved, offsets=Binary("add", moved.offsets, Broadcast(Const(distance, i32), moved.lanes)))
    return moved
