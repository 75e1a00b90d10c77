"""Common subexpressions, loop-invariant code, and names nobody uses.

LLVM does this for arithmetic. It cannot for memory, since it does not know that buffers do not overlap; and less code
is less to compile and easier to read.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from autosched.lang.types import b1, i64
from autosched.lower.ir import (
    Assign,
    Block,
    Broadcast,
    Const,
    Expr,
    For,
    If,
    Iota,
    Let,
    Load,
    Name,
    Stmt,
    Store,
    Unary,
    buffers,
    changes,
    expressions,
    map_bodies,
    map_expressions,
    names,
    statements,
    transform,
    walk,
)
from autosched.lower.wrapping import unbounded


class Optimizer:
    """Optimizes the body of one stage."""

    def __init__(self) -> None:
        self.counter = 0

    def run(self, block: Block) -> Block:
        """`block`, meaning the same."""
        block = self.hoist(self.share(block))
        return drop_unused(block)

    def _fresh(self, value: Expr) -> Name:
        self.counter += 1
        data = value.elem == i64 and value.lanes == 1 and unbounded(value)
        return Name(f".t{self.counter}", value.elem, value.lanes, data)

    # common subexpressions

    def share(self, block: Block) -> Block:
        """Compute what appears more than once in the statements of a block once."""
        inner = [map_bodies(s, self.share) for s in block]
        out: list[Stmt] = []
        run: list[Stmt] = []
        for stmt in inner:
            if isinstance(stmt, (Let, Assign, Store)):
                run.append(stmt)
            else:
                out += self._share_run(run)
                run = []
                out.append(stmt)
        return tuple(out + self._share_run(run))

    def _share_run(self, run: list[Stmt]) -> list[Stmt]:
        counts: Counter[Expr] = Counter()
        for stmt in run:
            for e in expressions(stmt):
                counts.update(x for x in walk(e) if not cheap(x))
        if not any(n > 1 for n in counts.values()):
            return run
        out: list[Stmt] = []
        known: dict[Expr, Name] = {}

        def rule(e: Expr) -> Expr | None:
            if e in known:
                return known[e]
            if cheap(e) or counts[e] < 2:
                return None
            children = tuple(transform(c, rule) for c in e.children)
            name = self._fresh(e)
            out.append(Let(name.name, e.rebuilt(children)))
            known[e] = name
            return name

        for stmt in run:
            made = map_expressions(stmt, lambda e: transform(e, rule))
            out.append(made)
            if isinstance(stmt, (Let, Assign)):
                known = {e: n for e, n in known.items() if stmt.name not in names(e)}
            elif isinstance(stmt, Store):
                known = {e: n for e, n in known.items() if stmt.buffer not in buffers(e)}
        return out

    # loop invariants

    def hoist(self, block: Block) -> Block:
        """Move what does not change in a loop in front of it, innermost loops first."""
        out: list[Stmt] = []
        for stmt in block:
            if isinstance(stmt, For):
                out += self._hoist_loop(replace(stmt, body=self.hoist(stmt.body)))
            elif isinstance(stmt, If):
                out.append(replace(stmt, then=self.hoist(stmt.then), otherwise=self.hoist(stmt.otherwise)))
            else:
                out.append(stmt)
        return tuple(out)

    def _hoist_loop(self, loop: For) -> list[Stmt]:
        changing, written = changes(loop.body)
        changing.add(loop.name)
        before: list[Stmt] = []
        moved: dict[Expr, Name] = {}
        assigned = Counter(s.name for s in statements(loop.body) if isinstance(s, (Let, Assign)))

        def invariant(e: Expr) -> bool:
            return not (names(e) & changing or buffers(e) & written)

        def rule(e: Expr) -> Expr | None:
            if trivial(e) or not invariant(e) or (e.elem == b1 and e.lanes == 1):
                return None
            if e not in moved:
                moved[e] = self._fresh(e)
                before.append(Let(moved[e].name, e))
            return moved[e]

        body: list[Stmt] = []
        for stmt in loop.body:
            if isinstance(stmt, Let) and assigned[stmt.name] == 1 and invariant(stmt.value):
                before.append(stmt)
                changing.discard(stmt.name)
            elif isinstance(stmt, If):
                body.append(replace(stmt, condition=transform(stmt.condition, rule)))
            else:
                body.append(map_expressions(stmt, lambda e: transform(e, rule)))
        return [*before, replace(loop, body=tuple(body))]


def trivial(e: Expr) -> bool:
    """Whether `e` costs nothing, so that a name for it would not help."""
    if isinstance(e, Broadcast):
        return trivial(e.a)
    if isinstance(e, Unary) and e.op == "neg":
        return isinstance(e.a, Const)
    return isinstance(e, (Const, Name, Iota))


def cheap(e: Expr) -> bool:
    """Whether LLVM shares `e` as well as we could: trivial, or arithmetic of coordinates."""
    return trivial(e) or (e.elem == i64 and e.lanes == 1 and not any(isinstance(x, Load) for x in walk(e)))


def drop_unused(block: Block) -> Block:
    """Without Lets whose names nobody reads."""
    while True:
        used: set[str] = set()
        for stmt in statements(block):
            for e in expressions(stmt):
                used |= names(e)
        smaller = _without(block, used)
        if smaller == block:
            return block
        block = smaller


def _without(block: Block, used: set[str]) -> Block:
    out: list[Stmt] = []
    for stmt in block:
        if isinstance(stmt, Let) and stmt.name not in used:
            continue
        if isinstance(stmt, Assign) and stmt.name not in used:
            continue
        out.append(map_bodies(stmt, lambda body: _without(body, used)))
    return tuple(out)
