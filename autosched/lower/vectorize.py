"""Vectorized loops become vector statements, and writes become stores at addresses.

Within a vectorized loop every expression that depends on its variable gets lanes (`lower.values`). A loop that may be
shorter than its lanes is written twice: whole, and with the number of lanes that count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autosched.errors import CompileError
from autosched.lang.types import i64
from autosched.lower import algebra
from autosched.lower.addresses import address
from autosched.lower.algebra import ONE, add, const
from autosched.lower.bounds import Bounds
from autosched.lower.demands import Target
from autosched.lower.dots import dot_products
from autosched.lower.ir import (
    Assign,
    Binary,
    Block,
    Broadcast,
    Const,
    Expr,
    For,
    If,
    LanesOp,
    Let,
    Name,
    Put,
    ReduceLanes,
    Stmt,
    Store,
    map_bodies,
    map_expressions,
    names,
    statements,
)
from autosched.lower.lanes import Guard, Lanes, depends, spread
from autosched.lower.stages import Storage
from autosched.lower.table_reads import TableReads
from autosched.lower.values import Values


class Vectorizer:
    """Vectorizes the statements of one stage, the one that computes `func`."""

    def __init__(
        self, func: str, storages: Mapping[str, Storage], bounds: Bounds, target: Target, tables: TableReads
    ) -> None:
        seen = {name: _as_seen(storage, name == func) for name, storage in storages.items()}
        self.values = Values(seen, bounds, target, tables)

    def block(self, block: Block, ctx: Lanes | None = None) -> Block:
        """`block` with its vectorized loops done and its accesses turned into loads and stores."""
        out: list[Stmt] = []
        for stmt in block:
            out += self.statement(stmt, ctx)
        return tuple(out)

    def statement(self, stmt: Stmt, ctx: Lanes | None) -> list[Stmt]:
        match stmt:
            case For(kind="vectorized"):
                if ctx is not None:
                    raise CompileError(f"loop {stmt.name} is vectorized inside a vectorized loop")
                return self._vectorized(stmt)
            case For(kind="reduction"):
                return self._reduction(stmt, ctx)
            case For(extent=Const(value=1)):
                return [x for s in stmt.body for x in self.statement(substitute_all(s, {stmt.name: stmt.lo}), ctx)]
            case For():
                lo, extent = self.values.scalar(stmt.lo), self.values.scalar(stmt.extent)
                self.values.runs(stmt.name, lo, extent)
                return [replace(stmt, lo=lo, extent=extent, body=self.block(stmt.body, ctx))]
            case If():
                condition = self.values.scalar(stmt.condition)
                return [If(condition, self.block(stmt.then, ctx), self.block(stmt.otherwise, ctx))]
            case Let() | Assign():
                value = self.values.value(stmt.value, ctx)
                if isinstance(value, Const) and value.elem == i64:
                    self.values.runs(stmt.name, value, ONE)
                if ctx is not None and stmt.name in ctx.vectors:
                    value = spread(value, ctx.lanes)
                return [replace(stmt, value=value)]
            case Put():
                return [self._put(stmt, ctx)]
        return [map_expressions(stmt, self.values.scalar)]

    # loops

    def _vectorized(self, loop: For) -> list[Stmt]:
        vectors = _vector_names(loop.body, loop.name)
        extent = algebra.value_of(loop.extent)

        length = self.values.scalar(loop.extent)
        left = length
        if isinstance(length, Binary) and length.op == "min" and length.b == const(loop.lanes):
            left = length.a

        def body(count: Expr | None, guard: Guard | None = None) -> Block:
            return self.block(loop.body, Lanes(loop.name, loop.lanes, count, vectors, left, guard))

        if extent is not None and extent != loop.lanes:
            return list(body(loop.extent))
        guard = Guard(_bound_names(loop.body))
        whole = body(None, guard)
        condition = guard.condition()
        if extent is not None:
            return list(whole) if condition is None else [If(condition, whole, self._lane_by_lane(loop))]
        full: Expr = Binary("le", const(loop.lanes), left)
        rest = body(length) if loop.ragged else self._lane_by_lane(loop)
        return [If(full if condition is None else Binary("and", full, condition), whole, rest)]

    def _lane_by_lane(self, loop: For) -> Block:
        """The loop without lanes: little code for what is rare, rows shorter than a vector and the end of a source."""
        return self.block((_serial(replace(loop, kind="serial", lanes=1)),))

    def _reduction(self, loop: For, ctx: Lanes | None) -> list[Stmt]:
        """A reduction whose iterations are combined `lanes` at a time, and the rest one by one."""
        n = loop.lanes
        lo, extent = self.values.scalar(loop.lo), self.values.scalar(loop.extent)
        self.values.runs(loop.name, lo, extent)
        whole, left = algebra.whole_and_rest(extent, n)
        rest = replace(loop, lo=add(lo, whole), extent=left, kind="serial", lanes=1)
        if ctx is None:
            partial = self._partial_sums(loop, lo, whole)
            if partial is not None:
                return [*partial, *self.statement(rest, None)]
        else:
            dots = dot_products(self.values, loop, ctx)
            if dots is not None:
                return [*dots.stmts, *(self.statement(dots.rest, ctx) if dots.rest else ())]
        copies: list[Stmt] = []
        for k in range(n):
            shift = {loop.name: add(Name(loop.name), const(k))}
            for stmt in loop.body:
                copies += self.statement(substitute_all(stmt, shift), ctx)
        main = For(loop.name, lo, whole, tuple(copies), step=n)
        return [main, *self.statement(rest, ctx)]

    def _partial_sums(self, loop: For, lo: Expr, whole: Expr) -> list[Stmt] | None:
        """Lanes of partial results, combined after the loop; None where the body is not of that form."""
        n = loop.lanes
        found: list[tuple[LanesOp, Name, Expr]] = []
        for stmt in loop.body:
            match stmt:
                case Assign(name=name, value=Binary(op="add" | "mul" | "min" | "max" as op, a=Name() as acc, b=b)) if (
                    acc.name == name and acc.elem.is_int and name not in names(b)
                ):
                    found.append((op, acc, b))
                case _:
                    return None
        before: list[Stmt] = []
        inside: list[Stmt] = []
        after: list[Stmt] = []
        lane = Name(f"{loop.name}.lane")
        ctx = Lanes(lane.name, n, None, frozenset(), const(n))
        for op, acc, term in found:
            neutral = {"add": 0, "mul": 1, "min": acc.elem.max, "max": acc.elem.min}[op]
            wide = Name(f"{acc.name}.lanes", acc.elem, n)
            before.append(Assign(wide.name, Broadcast(Const(neutral, acc.elem), n)))
            each = algebra.substitute(term, {loop.name: add(Name(loop.name), lane)})
            inside.append(Assign(wide.name, Binary(op, wide, spread(self.values.value(each, ctx), n))))
            after.append(Assign(acc.name, Binary(op, acc, ReduceLanes(op, wide))))
        return [*before, For(loop.name, lo, whole, tuple(inside), step=n), *after]

    def _put(self, put: Put, ctx: Lanes | None) -> Stmt:
        storage = self.values.storages[put.target]
        value = self.values.value(put.value, ctx)
        if ctx is None or not any(depends(i, ctx) for i in put.index):
            if value.lanes > 1:
                raise CompileError(f"a vector of {put.target} has one place")
            return Store(put.target, address(storage, tuple(self.values.scalar(i) for i in put.index)), value)
        value = spread(value, ctx.lanes)
        at = self.values.split(storage, put.index, ctx)
        if at.steps_by(value.elem.bytes):
            return Store(put.target, at.base, value, None, ctx.count, ctx.left if storage.stream else None)
        offsets = self.values.lane_offsets(at, replace(ctx, count=None))
        return Store(put.target, at.base, value, offsets, ctx.count or const(ctx.lanes))


def _as_seen(storage: Storage, own: bool) -> Storage:
    """How a stage sees it: what an earlier one has computed whole, nobody writes any more."""
    return replace(storage, constant=storage.constant or (storage.root and not own))


def _serial(stmt: Stmt) -> Stmt:
    """A statement with plain loops for its reductions."""
    if isinstance(stmt, For) and stmt.kind == "reduction":
        stmt = replace(stmt, kind="serial", lanes=1)
    return map_bodies(stmt, lambda body: tuple(_serial(s) for s in body))


def _bound_names(block: Block) -> frozenset[str]:
    """The names that loops and Lets of a block bind."""
    return frozenset(s.name for s in statements(block) if isinstance(s, (For, Let)))


def _vector_names(block: Block, var: str) -> frozenset[str]:
    """The names that get a value that depends on the vectorized loop."""
    found: set[str] = {var}
    while True:
        before = len(found)
        for stmt in statements(block):
            if isinstance(stmt, (Let, Assign)) and names(stmt.value) & found:
                found.add(stmt.name)
        if len(found) == before:
            return frozenset(found - {var})


def substitute_all(stmt: Stmt, env: dict[str, Expr]) -> Stmt:
    """A statement and all in it, with names replaced."""
    changed = map_expressions(stmt, lambda e: algebra.substitute(e, env))
    return map_bodies(changed, lambda body: tuple(substitute_all(s, env) for s in body))
