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
from autosched.lower.demands import SHUFFLE_BYTES, Excluded, Exclusion, WindowRequirement
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
    PermuteWords,
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

#: What windows that can share have in common: the buffer, how many bytes there are for lanes that share, how many are
#: read at once, and the addresses but for one constant.
_Shared: TypeAlias = tuple[str, int, int, tuple[tuple[frozenset[tuple[Expr, int]], int], ...]]


def share_windows(block: Block, excluded: frozenset[Exclusion]) -> Block:
    """`block` with shared windows, but for those in `excluded`, which have turned out too small for that."""
    inner = tuple(map_bodies(s, lambda body: share_windows(body, excluded)) for s in block)
    begins: dict[_Shared, set[int]] = defaultdict(set)
    for found in _readers(inner):
        key, begin = _place(found)
        if Exclusion(_windows(found)[0].buffer, "shared") not in excluded:
            begins[key].add(begin)
    firsts = {key: _firsts(sorted(places), key[1]) for key, places in begins.items()}

    def rule(e: Expr) -> Expr | None:
        if not isinstance(e, _Reader):
            return None
        key, begin = _place(e)
        first, last = firsts.get(key, {}).get(begin, (begin, begin))
        fits = (algebra.value_of(e.extent) or 0) + begin - first <= key[1]
        return _moved(e, begin - first, last - first) if first < last and fits else None

    return tuple(_mapped(stmt, rule) for stmt in inner)


def requirements(block: Block) -> list[WindowRequirement]:
    """The requirements of readers of windows in a block, at any depth."""
    found = []
    for stmt in statements(block):
        for e in (e for top in expressions(stmt) for e in walk(top)):
            if isinstance(e, _Reader):
                what: Excluded = "shared" if e.shared else "near" if isinstance(e.window, PermuteWords) else "window"
                excludes = Exclusion(_windows(e)[0].buffer, what)
                found.append(WindowRequirement(_width(e), e.extent, excludes))
                if isinstance(e.window, PermuteWords):
                    found.append(WindowRequirement(e.window.lanes, e.window.extent, excludes))
    return found


def _mapped(stmt: Stmt, rule: Callable[[Expr], Expr | None]) -> Stmt:
    return map_expressions(stmt, lambda e: transform(e, rule)) if isinstance(stmt, (Let, Assign, Store)) else stmt


def _readers(block: Iterable[Stmt]) -> Iterable[_Reader]:
    """The readers of windows that stand directly in a block's statements."""
    for stmt in block:
        if isinstance(stmt, (Let, Assign, Store)):
            yield from (e for top in expressions(stmt) for e in walk(top) if isinstance(e, _Reader))


def _windows(reader: _Reader) -> tuple[Load, ...]:
    """The windows of a reader: one, or one for every few lanes."""
    read = reader.window.window if isinstance(reader.window, PermuteWords) else reader.window
    found = read.parts if isinstance(read, Concat) else (read,)
    return tuple(w for w in found if isinstance(w, Load))


def _width(reader: _Reader) -> int:
    """The bytes that there are for lanes that share: a whole window, or a block of it."""
    return SHUFFLE_BYTES if isinstance(reader, Permute) and reader.per_four_lanes else _windows(reader)[0].width


def _place(reader: _Reader) -> tuple[_Shared, int]:
    """The key that windows which can share have in common, and where this one begins."""
    windows = _windows(reader)
    addresses = [algebra.linear(w.address) for w in windows]
    begin = addresses[0][1]
    places = tuple((frozenset(terms.items()), constant - begin) for terms, constant in addresses)
    return (windows[0].buffer, _width(reader), windows[0].width, places), begin


def _firsts(begins: list[int], width: int) -> dict[int, tuple[int, int]]:
    """For each begin, the first and the last of those that share a window with it."""
    groups: list[list[int]] = []
    for begin in begins:
        if groups and begin - groups[-1][0] <= width // _PART:
            groups[-1].append(begin)
        else:
            groups.append([begin])
    return {begin: (group[0], group[-1]) for group in groups for begin in group}


def _moved(reader: _Reader, distance: int, furthest: int) -> _Reader:
    """The same bytes from a window that begins `distance` bytes earlier.

    Words are the same for all that share them, so they are what the one needs that was `furthest` away.
    """
    windows = tuple(replace(w, address=add(w.address, const(-distance))) for w in _windows(reader))
    window: Expr = Concat(windows) if len(windows) > 1 else windows[0]
    if isinstance(reader.window, PermuteWords):
        window = replace(reader.window, window=window, extent=add(reader.window.extent, const(furthest)))
    moved = replace(
        reader,
        window=window,
        extent=add(reader.extent, const(distance)),
        shared=True,
    )
    if isinstance(moved, Slice):
        return replace(moved, begin=moved.begin + distance)
    if distance:
        moved = replace(moved, offsets=Binary("add", moved.offsets, Broadcast(Const(distance, i32), moved.lanes)))
    return moved
