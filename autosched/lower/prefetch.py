"""Reads of whole vectors are announced ahead of time, where the schedule says so.

What a loop reads first from memory arrives late, and a processor looks only a few dozen instructions ahead of what it
waits for. An announcement is a hint: it reads nothing, and any address may be given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from autosched.lower import algebra
from autosched.lower.algebra import add, const
from autosched.lower.ir import Block, Expr, Load, Prefetch, Stmt, Store, bodies, expressions, map_bodies, walk

#: Bytes of a cache line: one announcement is enough for all of it.
_LINE = 64


def announce(block: Block, ahead: Mapping[str, Mapping[str, int]]) -> Block:
    """`block` with announcements: of each source as many bytes `ahead` as the Func that is stored asks for."""
    wanted: dict[str, int] = {}
    for stmt in block:
        if isinstance(stmt, Store):
            wanted.update(ahead.get(stmt.buffer, {}))
    if wanted:
        return _announced(block, wanted)
    return tuple(map_bodies(stmt, lambda body: announce(body, ahead)) for stmt in block) if ahead else block


def _announced(block: Block, wanted: Mapping[str, int]) -> Block:
    """With one announcement a line before the statements that read it, those in inner loops too."""
    out: list[Stmt] = []
    begun: dict[frozenset[tuple[Expr, int]], list[int]] = defaultdict(list)
    for stmt in block:
        for load in _vectors(stmt):
            if load.buffer not in wanted:
                continue
            address = add(load.address, const(wanted[load.buffer]))
            terms, begin = algebra.linear(address)
            others = begun[frozenset(terms.items())]
            if all(abs(begin - other) >= _LINE for other in others):
                others.append(begin)
                out.append(Prefetch(address))
        out.append(map_bodies(stmt, lambda body: _announced(body, wanted)) if bodies(stmt) else stmt)
    return tuple(out)


def _vectors(stmt: Stmt) -> list[Load]:
    """The dense vectors and windows that a statement itself reads, but for the last of a row that is not whole."""
    loads = [e for top in expressions(stmt) for e in walk(top) if isinstance(e, Load)]
    return [e for e in loads if e.kind == "dense" and e.lanes > 1 and e.count is None]
