"""Expressions get the lanes of the vectorized loop around them, and accesses become loads at addresses.

How memory is read follows from how the address depends on the loop's variable: not at all (one scalar load), by the
element size (a dense vector), otherwise lane by lane, in the way that the schedule chose.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass

from autosched.lang.types import Type, i32, i64, u16
from autosched.lower import algebra
from autosched.lower.addresses import Address, address, split
from autosched.lower.algebra import ONE, ZERO, add, const, maximum, sub
from autosched.lower.bounds import Bounds, Interval
from autosched.lower.demands import Target
from autosched.lower.ir import Access, Binary, Broadcast, Cast, Const, Expr, Iota, Load, LoadKind, Name
from autosched.lower.lanes import Lanes, affine, depends, spread
from autosched.lower.stages import Storage
from autosched.lower.table_reads import TableReads
from autosched.lower.window_reads import WindowReads


class Values:
    """The expressions of one stage, which sees `storages` and packed tables."""

    def __init__(self, storages: Mapping[str, Storage], bounds: Bounds, target: Target, tables: TableReads) -> None:
        self.storages = ChainMap(tables.storages, dict(storages))
        self.bounds = bounds
        self.target = target
        self.tables = tables
        self._ranges: dict[str, Interval] = {}
        self._windows = WindowReads(self.storages, bounds, target, tables, self._ranges, self.value)

    def runs(self, name: str, lo: Expr, extent: Expr) -> None:
        """From here on, `name` has one of `extent` values from `lo` on."""
        self._ranges[name] = (lo, sub(add(lo, extent), ONE))

    def value(self, expr: Expr, ctx: Lanes | None) -> Expr:
        """`expr` with lanes where it depends on the vectorized loop, without them where it does not."""
        if ctx is None or not depends(expr, ctx):
            return self.scalar(expr)
        if isinstance(expr, Name):
            if expr.name == ctx.var:
                return Iota(ctx.lanes)
            return Name(expr.name, expr.of, ctx.lanes)
        if isinstance(expr, Access):
            return self._load(expr, ctx)
        if expr.elem == i64 and isinstance(expr, Binary):
            regular = affine(expr, ctx)
            if regular is not None:
                base, coefficient = regular
                steps: Expr = Iota(ctx.lanes)
                if coefficient != 1:
                    steps = Binary("mul", steps, Broadcast(const(coefficient), ctx.lanes))
                base = self.scalar(base)
                return steps if base == ZERO else Binary("add", Broadcast(base, ctx.lanes), steps)
        children = tuple(spread(self.value(c, ctx), ctx.lanes) for c in expr.children)
        return expr.rebuilt(children)

    def scalar(self, expr: Expr) -> Expr:
        """`expr` outside any vectorized loop."""
        if isinstance(expr, Access):
            storage = self.storages[expr.source]
            index = tuple(self.scalar(i) for i in expr.index)
            return Load(expr.source, address(storage, index), expr.of, constant=storage.constant)
        if not expr.children:
            return expr
        children = tuple(self.scalar(c) for c in expr.children)
        if isinstance(expr, Binary) and expr.elem == i64:
            return algebra.make(expr.op, *children)
        return expr.rebuilt(children)

    def group(self, access: Access, ctx: Lanes, group: int, tap: int) -> Expr | None:
        """The byte of each lane and group - 1 more, `tap` bytes apart, in an i32; None where each is read by itself."""
        at = self.split(self.storages[access.source], access.index, ctx)
        found = self._windows.groups(access, at, ctx, group, tap)
        return self._word_reads(access, at, ctx, group) if found is None and tap == 1 else found

    def split(self, storage: Storage, index: tuple[Expr, ...], ctx: Lanes) -> Address:
        """The address of each lane's element."""
        return split(storage, index, ctx, self.scalar)

    def lane_offsets(self, at: Address, ctx: Lanes) -> Expr:
        """Bytes from the regular address, per lane; lanes that do not count repeat the last one that does."""
        lane: Expr = Iota(ctx.lanes)
        if ctx.count is not None:
            last = Broadcast(maximum(sub(ctx.count, ONE), ZERO), ctx.lanes)
            lane = Binary("min", lane, last)
        clamped = _Clamped(self, ctx, lane)
        out: Expr | None = None
        if at.step:
            out = Binary("mul", lane, Broadcast(const(at.step), ctx.lanes)) if at.step != 1 else lane
        for offset, stride in at.irregular:
            part = clamped.value(offset)
            if algebra.value_of(stride) != 1:
                part = Binary("mul", part, Broadcast(stride, ctx.lanes))
            out = part if out is None else Binary("add", out, part)
        return Broadcast(ZERO, ctx.lanes) if out is None else out

    def _load(self, access: Access, ctx: Lanes) -> Expr:
        storage = self.storages[access.source]
        at = self.split(storage, access.index, ctx)
        if at.steps_by(0):
            return Load(access.source, at.base, access.of, constant=storage.constant)
        if at.steps_by(access.of.bytes):
            count = None if storage.owned else ctx.count
            return Load(access.source, at.base, access.of, ctx.lanes, "dense", count=count, constant=storage.constant)
        window = self._windows.elements(access, at, ctx)
        return self._scattered(access, at, ctx, access.of) if window is None else window

    def _scattered(self, access: Access, at: Address, ctx: Lanes, of: Type) -> Expr:
        """A read of `of` where the access is in each lane."""
        kind: LoadKind = "gather" if access.strategy == "gather" else "pick"
        constant, offsets = self.storages[access.source].constant, self.lane_offsets(at, ctx)
        return Load(access.source, at.base, of, ctx.lanes, kind, offsets, constant=constant)

    def _word_reads(self, access: Access, at: Address, ctx: Lanes, group: int) -> Expr | None:
        """The byte of each lane and what follows it, two bytes as a pair or four as they are, by one read a lane.

        None where what follows may not be read: only memory of our own has slack behind it.
        """
        storage = self.storages[access.source]
        if not storage.owned or storage.circular or at.steps_by(0):
            return None
        word = self._scattered(access, at, ctx, i32 if group == 4 else u16)
        if group == 4:
            return word
        both = Cast(i32, word)
        first, second = (Binary("and", both, Broadcast(Const(mask, i32), ctx.lanes)) for mask in (0x00FF, 0xFF00))
        return Binary("or", first, Binary("shl", second, Broadcast(Const(8, i32), ctx.lanes)))


@dataclass(frozen=True)
class _Clamped:
    """Evaluates coordinates with given lane numbers."""

    values: Values
    ctx: Lanes
    lane: Expr

    def value(self, expr: Expr) -> Expr:
        ctx = self.ctx
        if isinstance(self.lane, Iota):
            return spread(self.values.value(expr, ctx), ctx.lanes)
        if not depends(expr, ctx):
            return spread(self.values.scalar(expr), ctx.lanes)
        if isinstance(expr, Name):
            return self.lane if expr.name == ctx.var else Name(expr.name, expr.of, ctx.lanes)
        if isinstance(expr, Access):
            storage = self.values.storages[expr.source]
            offset: Expr | None = None
            for o, stride in zip(storage.offsets(expr.index), storage.strides, strict=True):
                part = Binary("mul", self.value(o), Broadcast(stride, ctx.lanes))
                offset = part if offset is None else Binary("add", offset, part)
            return Load(expr.source, Name(storage.buffer), expr.of, ctx.lanes, "pick", offset)
        return expr.rebuilt(tuple(self.value(c) for c in expr.children))
