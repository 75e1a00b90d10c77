"""Lanes from windows of memory that are read whole: slices of them, and byte permutes as far as the CPU has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from autosched.errors import CompileError
from autosched.lang.types import i32, i64, u8
from autosched.lower import algebra
from autosched.lower.addresses import Address
from autosched.lower.algebra import ZERO, add, const, maximum, mul
from autosched.lower.bounds import Bounds, Interval
from autosched.lower.demands import REGISTER, REGISTER_LANES, SHUFFLE_BYTES, SHUFFLE_LANES, WINDOWS, Target
from autosched.lower.ir import (
    Access,
    Binary,
    Broadcast,
    Cast,
    Concat,
    Const,
    Expr,
    FromFirstOfFour,
    Iota,
    Load,
    Name,
    Permute,
    PermuteWords,
    Slice,
    names,
)
from autosched.lower.lanes import Lanes, affine, depends
from autosched.lower.stages import Storage
from autosched.lower.table_reads import TableReads


@dataclass(frozen=True)
class _Span:
    """Lanes of an access, `each` of them in a window of their own, of which a lane needs `size` bytes."""

    access: Access
    at: Address
    ctx: Lanes
    each: int
    size: int


@dataclass(frozen=True)
class _Blocks:
    """A block of 16 bytes for every four lanes: offsets of lanes in theirs, and how many bytes of it are needed."""

    window: Expr
    offsets: Expr
    extent: Expr


@dataclass(frozen=True)
class WindowReads:
    """Reads of windows in one stage.

    `ranges` has what loops run over that have been met, and `value` makes expressions into values (`values.Values`).
    """

    storages: Mapping[str, Storage]
    bounds: Bounds
    target: Target
    tables: TableReads
    ranges: Mapping[str, Interval]
    value: Callable[[Expr, Lanes | None], Expr]

    def elements(self, access: Access, at: Address, ctx: Lanes) -> Expr | None:
        """The element of each lane from windows; None where that is not possible, or they are not bounded.

        Lanes that are equally far apart are slices of as many windows as it takes, each from its first lane on. Others
        are a byte permute of one that begins at lane 0. Where the schedule says nothing, a window is as large as what
        is known to be enough for all calls.
        """
        if not self._allowed(access, at, ctx):
            return None
        if at.irregular and (not self.target.permutes or ctx.lanes * access.of.bytes > REGISTER):
            return None
        size, each = access.of.bytes, ctx.lanes
        most = WINDOWS.get(access.strategy, max(WINDOWS.values()))
        while not at.irregular and each > 2 and at.step * (each - 1) + size > most:
            each //= 2
        span = _Span(access, at, ctx, each, size)
        extent = self._extent(span)
        if extent is None:
            return None
        width = WINDOWS.get(access.strategy) or _fitting(extent)
        window = None if width is None else self._windows(span, extent, width)
        if window is None:
            return None
        of = u8 if access.of.is_bool else access.of
        lanes: Expr
        if at.irregular:
            lanes = Permute(window, self._relative(at, ctx), of, extent)
        else:
            windows = window.parts if isinstance(window, Concat) else (window,)
            parts = tuple(Slice(part, 0, at.step, of, each, extent) for part in windows)
            lanes = parts[0] if len(parts) == 1 else Concat(parts)
        return Binary("ne", lanes, Broadcast(Const(0, u8), ctx.lanes)) if access.of.is_bool else lanes

    def groups(self, access: Access, at: Address, ctx: Lanes, group: int, tap: int) -> Expr | None:
        """The byte of each lane and group - 1 more, `tap` bytes apart, in an i32; None as above.

        By what the CPU has, the fewest instructions first: where it permutes bytes only within blocks, every few lanes
        have a small window of their own.
        """
        if access.strategy not in WINDOWS or not self._allowed(access, at, ctx):
            return None
        span = _Span(access, at, ctx, ctx.lanes, tap * (group - 1) + 1)
        if self.target.permutes:
            extent = self._extent(span)
            window = None if extent is None else self._windows(span, extent, WINDOWS[access.strategy])
            if window is None or extent is None:
                return None
            return Permute(window, self._relative(at, ctx), i32, extent, const(tap), group)
        if not self.target.shuffles or ctx.lanes % SHUFFLE_LANES:
            return None
        blocks = self._near(span) or self._apart(replace(span, each=SHUFFLE_LANES))
        if blocks is None:
            return None
        return Permute(blocks.window, blocks.offsets, i32, blocks.extent, const(tap), group, per_four_lanes=True)

    def _allowed(self, access: Access, at: Address, ctx: Lanes) -> bool:
        """Whether lanes may come from windows: where the schedule says so, and nothing is against it."""
        excluded = self.target.excludes(access.source, "window")
        asked_for = access.strategy in (*WINDOWS, "unsaid")
        if not ctx.guard or not asked_for or excluded or self.storages[access.source].circular:
            return False
        return access.of.bytes <= 2 and at.step >= 0 and not at.steps_by(0)

    def _near(self, span: _Span) -> _Blocks | None:
        """Blocks of four lanes from one read for all lanes.

        A block begins with the word that has the first byte of its first lane, so up to three bytes are in front.
        """
        ctx, source = span.ctx, span.access.source
        if not self.target.words or ctx.lanes != REGISTER_LANES or self.target.excludes(source, "near"):
            return None
        block = self._extent(replace(span, each=SHUFFLE_LANES, size=span.size + 3))
        if block is None or (algebra.value_of(block) or 0) > SHUFFLE_BYTES:
            return None
        extent = self._extent(span)
        window = None if extent is None else self._windows(span, extent, REGISTER)
        if window is None or extent is None:
            return None
        relative = self._relative(span.at, ctx)
        within = FromFirstOfFour(relative)
        first = Binary("sub", relative, within)

        def each(value: int) -> Expr:
            return _const32(value, ctx.lanes)

        places = Binary("add", Binary("shr", first, each(2)), Binary("and", Iota(ctx.lanes, i32), each(3)))
        offsets = Binary("add", within, Binary("and", first, each(3)))
        return _Blocks(PermuteWords(window, places, extent), offsets, block)

    def _apart(self, span: _Span) -> _Blocks | None:
        """Blocks of four lanes that are read one by one."""
        extent = self._extent(span)
        window = None if extent is None else self._windows(span, extent, SHUFFLE_BYTES)
        if window is None or extent is None:
            return None
        return _Blocks(window, FromFirstOfFour(self._relative(span.at, span.ctx)), extent)

    def _extent(self, span: _Span) -> Expr | None:
        """The bytes that the lanes of one window need from the first of them on; None without a bound."""
        owned = self.storages[span.access.source].owned
        extent: Expr = const(span.at.step * (span.each - 1) + span.size)
        for offset, stride in span.at.irregular:
            growth = self._growth(offset, replace(span.ctx, lanes=span.each))
            known = algebra.value_of(stride)
            if growth is None or (owned and known is None):
                return None
            if known is None:  # of an input, which may go back: then what is read of it lies in front of the window
                stride = maximum(stride, mul(stride, const(-max(WINDOWS.values()))))
            extent = add(extent, mul(growth, stride))
        return extent

    def _windows(self, span: _Span, extent: Expr, width: int) -> Expr | None:
        """Reads of `width` bytes, one from the first of every `span.each` lanes on, of which `extent` are needed.

        None where that is more than the width, or where they reach has no bound.
        """
        if (algebra.value_of(extent) or 0) > width:
            return None
        source, at, ctx = span.access.source, span.at, span.ctx
        storage = self.storages[source]
        reads = []
        for lane in range(0, ctx.lanes, span.each):
            start = add(at.base, const(at.step * lane))
            for offset, stride in at.irregular:
                there = self.value(algebra.substitute(offset, {ctx.var: const(lane)}), None)
                start = add(start, mul(there, stride))
            reads.append(Load(source, start, u8, width, "dense", constant=storage.constant))
        if not storage.owned:
            assert ctx.guard is not None
            furthest = self._furthest(reads[-1].address, ctx.guard.inside)
            if furthest is None:
                return None
            ctx.guard.reach(source, add(furthest, const(width)))
        return reads[0] if len(reads) == 1 else Concat(tuple(reads))

    def _relative(self, at: Address, ctx: Lanes) -> Expr:
        """The distance in bytes of each lane's access from that of lane 0, in i32."""
        out: Expr | None = None
        if at.step:
            out = Binary("mul", Iota(ctx.lanes, i32), _const32(at.step, ctx.lanes))
        for offset, stride in at.irregular:
            part = self._narrow(offset, ctx)
            if algebra.value_of(stride) != 1:
                part = Binary("mul", part, Broadcast(Cast(i32, stride), ctx.lanes))
            out = part if out is None else Binary("add", part, out)
        assert out is not None
        return out

    def _furthest(self, begin: Expr, inside: frozenset[str]) -> Expr | None:
        """The greatest `begin` over loops inside the vectorized one; those around it are in scope of the check."""
        inner = {k: r for k, r in self.ranges.items() if k in inside}
        for _ in range(len(inner) + 1):
            if not names(begin) & inside:
                return begin
            try:
                _, begin = self.bounds.interval(begin, inner)
            except CompileError:
                return None
        return None

    def _growth(self, index: Expr, ctx: Lanes) -> Expr | None:
        """The most that `index` grows from lane 0 to the last, if it never shrinks."""
        terms, _ = algebra.linear(index)
        total: Expr = ZERO
        for term, k in terms.items():
            if not depends(term, ctx):
                continue
            if k < 0:
                return None
            if term == Name(ctx.var):
                total = add(total, const(k * (ctx.lanes - 1)))
                continue
            quotient = _quotient(term, ctx)
            if quotient is not None:
                _, step, divisor = quotient
                total = add(total, const(k * -(-step * (ctx.lanes - 1) // divisor)))
                continue
            access = term.a if isinstance(term, Cast) and term.to == i64 else term
            if not isinstance(access, Access) or len(access.index) != 1:
                return None
            table = self.bounds.inputs.get(access.source)
            regular = affine(access.index[0], ctx)
            if table is None or not table.monotone or regular is None or regular[1] < 0:
                return None
            total = add(total, mul(self.tables.growth(access.source, regular[1] * (ctx.lanes - 1)), const(k)))
        return total

    def _narrow(self, index: Expr, ctx: Lanes) -> Expr:
        """The distance of each lane's `index` from that of lane 0, in i32.

        Exact, because only sums and multiples of table reads, quotients and lanes come here, whose i32 arithmetic is
        right modulo 2^32, and the result is small. What is the same in all lanes cancels.
        """
        terms, _ = algebra.linear(index)
        out: Expr | None = None
        for term, k in terms.items():
            if not depends(term, ctx):
                continue
            quotient = _quotient(term, ctx)
            if term == Name(ctx.var):
                part: Expr = Iota(ctx.lanes, i32)
            elif quotient is not None:
                # of a sum, less that of lane 0: the quotient of what is left there and of the steps
                first, step, divisor = quotient
                left = Cast(i32, self.value(algebra.mod(first, const(divisor)), None))
                steps = Binary("mul", Iota(ctx.lanes, i32), _const32(step, ctx.lanes))
                part = Binary("add", Broadcast(left, ctx.lanes), steps)
                part = Binary("floordiv", part, _const32(divisor, ctx.lanes))
            else:
                access = term.a if isinstance(term, Cast) else term
                lanes, first = self.value(access, ctx), self.value(algebra.substitute(access, {ctx.var: ZERO}), None)
                if lanes.elem != i32:
                    lanes, first = Cast(i32, lanes), Cast(i32, first)
                part = Binary("sub", lanes, Broadcast(first, ctx.lanes))
            if k != 1:
                part = Binary("mul", part, _const32(k, ctx.lanes))
            out = part if out is None else Binary("add", out, part)
        assert out is not None
        return out


def _fitting(extent: Expr) -> int | None:
    """The bytes of the smallest window that has `extent` bytes, whatever the call."""
    most = algebra.value_of(extent)
    return None if most is None else next((width for width in WINDOWS.values() if most <= width), None)


def _quotient(term: Expr, ctx: Lanes) -> tuple[Expr, int, int] | None:
    """Of a quotient that never shrinks: the dividend of lane 0, its step from lane to lane, and the divisor."""
    if not (isinstance(term, Binary) and term.op in ("floordiv", "shr") and term.elem == i64):
        return None
    divisor, regular = algebra.value_of(term.b), affine(term.a, ctx)
    if term.op == "shr" and divisor is not None:
        divisor = 1 << divisor if 0 <= divisor < 31 else None
    if divisor is None or not 0 < divisor < 1 << 30 or regular is None or not 0 <= regular[1] < 1 << 16:
        return None
    return regular[0], regular[1], divisor


def _const32(value: int, lanes: int) -> Expr:
    return Broadcast(Const(value, i32), lanes)
