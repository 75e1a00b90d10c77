"""Vectorized loops become vector statements, and accesses become loads and stores at addresses.

Within a vectorized loop every expression that depends on its variable gets lanes. How memory is read follows from how
the address depends on the variable: not at all (one scalar load), by the element size (a dense vector), otherwise lane
by lane, in the way that the schedule chose. A loop that may be shorter than its lanes is written twice: whole, and
with the number of lanes that count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autosched.errors import CompileError
from autosched.lang.types import Type, i32, i64, u8, u16
from autosched.lower import algebra
from autosched.lower.addresses import Address, address, split
from autosched.lower.algebra import ONE, ZERO, add, const, maximum, mul, sub
from autosched.lower.bounds import Bounds, Interval
from autosched.lower.demands import (
    BLOCK,
    BLOCK_LANES,
    REGISTER,
    REGISTER_LANES,
    WINDOWS,
    Pack,
    Target,
    near_name,
    step_name,
)
from autosched.lower.dots import dot_products
from autosched.lower.ir import (
    Access,
    Assign,
    Binary,
    Block,
    Broadcast,
    Cast,
    Concat,
    Const,
    Expr,
    For,
    If,
    Iota,
    Let,
    Load,
    LoadKind,
    Name,
    Permute,
    Put,
    Slice,
    Stmt,
    Store,
    Unary,
    Words,
    map_bodies,
    map_expressions,
    names,
    statements,
)
from autosched.lower.lanes import Guard, Lanes, affine, depends, spread
from autosched.lower.stages import Storage


class Vectorizer:
    """Vectorizes the statements of one stage."""

    def __init__(
        self,
        func: str,
        storages: Mapping[str, Storage],
        bounds: Bounds,
        target: Target,
        domains: dict[str, list[Expr]],
    ) -> None:
        self.func = func
        #: The extents of the reductions that read a packed table, by table; those of all stages.
        self.domains = domains
        self.storages = dict(storages)
        self.bounds = bounds
        self.target = target
        self.packs: list[Pack] = []
        #: What loops that have been met run over.
        self.ranges: dict[str, Interval] = {}

    def domain(self, table: str, extent: Expr) -> int:
        """The number of a reduction's extent among those of a packed table."""
        known = self.domains.setdefault(table, [])
        if extent not in known:
            known.append(extent)
        return known.index(extent)

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
                lo, extent = self.scalar(stmt.lo), self.scalar(stmt.extent)
                self.ranges[stmt.name] = (lo, sub(add(lo, extent), ONE))
                return [replace(stmt, lo=lo, extent=extent, body=self.block(stmt.body, ctx))]
            case If():
                return [If(self.scalar(stmt.condition), self.block(stmt.then, ctx), self.block(stmt.otherwise, ctx))]
            case Let() | Assign():
                value = self.value(stmt.value, ctx)
                if isinstance(value, Const) and value.elem == i64:
                    self.ranges[stmt.name] = (value, value)
                if ctx is not None and stmt.name in ctx.vectors:
                    value = spread(value, ctx.lanes)
                return [replace(stmt, value=value)]
            case Put():
                return [self._put(stmt, ctx)]
        return [map_expressions(stmt, self.scalar)]

    # loops

    def _vectorized(self, loop: For) -> list[Stmt]:
        vectors = _vector_names(loop.body, loop.name)
        extent = algebra.value_of(loop.extent)

        length = self.scalar(loop.extent)
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
        lo, extent = self.scalar(loop.lo), self.scalar(loop.extent)
        self.ranges[loop.name] = (lo, sub(add(lo, extent), ONE))
        whole, left = algebra.blocks(extent, n)
        rest = replace(loop, lo=add(lo, whole), extent=left, kind="serial", lanes=1)
        if ctx is None:
            partial = self._partial_sums(loop, lo, whole)
            if partial is not None:
                return [*partial, *self.statement(rest, None)]
        else:
            dots = dot_products(self, loop, ctx)
            if dots is not None:
                return dots
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
        names_: list[tuple[Assign, Binary]] = []
        for stmt in loop.body:
            match stmt:
                case Assign(name=name, value=Binary(op="add" | "mul" | "min" | "max", a=Name() as acc) as value) if (
                    acc.name == name and value.elem.is_int and name not in names(value.b)
                ):
                    names_.append((stmt, value))
                case _:
                    return None
        before: list[Stmt] = []
        inside: list[Stmt] = []
        after: list[Stmt] = []
        lane = Name(f"{loop.name}.lane")
        ctx = Lanes(lane.name, n, None, frozenset(), const(n))
        for stmt, value in names_:
            neutral = {"add": 0, "mul": 1, "min": value.elem.max, "max": value.elem.min}[value.op]
            wide = Name(f"{stmt.name}.lanes", value.elem, n)
            before.append(Assign(wide.name, Broadcast(Const(neutral, value.elem), n)))
            term = algebra.substitute(value.b, {loop.name: add(Name(loop.name), lane)})
            inside.append(Assign(wide.name, Binary(value.op, wide, spread(self.value(term, ctx), n))))
            after.append(Assign(stmt.name, Binary(value.op, value.a, Unary(f"reduce_{value.op}", wide))))
        return [*before, For(loop.name, lo, whole, tuple(inside), step=n), *after]

    # values

    def scalar(self, expr: Expr) -> Expr:
        """`expr` outside any vectorized loop."""
        return self.value(expr, None)

    def value(self, expr: Expr, ctx: Lanes | None) -> Expr:
        """`expr` with lanes where it depends on the vectorized loop, without them where it does not."""
        if ctx is None or not depends(expr, ctx):
            return self._scalar(expr)
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
                base = self._scalar(base)
                return steps if base == ZERO else Binary("add", Broadcast(base, ctx.lanes), steps)
        children = tuple(spread(self.value(c, ctx), ctx.lanes) for c in expr.children)
        return expr.rebuilt(children)

    def _scalar(self, expr: Expr) -> Expr:
        if isinstance(expr, Access):
            storage = self.storages[expr.source]
            index = tuple(self._scalar(i) for i in expr.index)
            return Load(expr.source, address(storage, index), expr.of, constant=self._is_constant(expr.source))
        if not expr.children:
            return expr
        children = tuple(self._scalar(c) for c in expr.children)
        if isinstance(expr, Binary) and expr.elem == i64:
            return algebra.make(expr.op, *children)
        return expr.rebuilt(children)

    def _is_constant(self, source: str) -> bool:
        """Whether nobody writes `source` while this stage runs: inputs, and what earlier stages computed."""
        storage = self.storages[source]
        return storage.constant or (storage.root and source != self.func)

    # memory

    def _split(self, access: Access | Put, ctx: Lanes) -> Address:
        """Where the lanes of a read or a write are."""
        storage = self.storages[access.source if isinstance(access, Access) else access.target]
        return split(storage, access.index, ctx, self._scalar)

    def _lane_offsets(self, at: Address, ctx: Lanes) -> Expr:
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
        at = self._split(access, ctx)
        constant = self._is_constant(access.source)
        if at.steps_by(0):
            return Load(access.source, at.base, access.of, constant=constant)
        if at.steps_by(access.of.bytes):
            count = None if storage.owned else ctx.count
            return Load(access.source, at.base, access.of, ctx.lanes, "dense", count=count, constant=constant)
        window = self._from_window(access, at, ctx)
        return self._scattered(access, at, ctx, access.of) if window is None else window

    def _scattered(self, access: Access, at: Address, ctx: Lanes, of: Type) -> Expr:
        """A read of `of` where the access is in each lane."""
        kind: LoadKind = "gather" if access.strategy == "gather" else "pick"
        offsets = self._lane_offsets(at, ctx)
        constant = self._is_constant(access.source)
        return Load(access.source, at.base, of, ctx.lanes, kind, offsets, constant=constant)

    def group(self, access: Access, ctx: Lanes, group: int, tap: int) -> Expr | None:
        """The byte of each lane and group - 1 more, `tap` bytes apart, in an i32; None where each is read by itself."""
        at = self._split(access, ctx)
        found = self._groups_from_window(access, at, ctx, group, tap)
        return self._words(access, at, ctx, group) if found is None and tap == 1 else found

    # windows of memory that are read whole

    def _has_windows(self, access: Access, at: Address, ctx: Lanes) -> bool:
        """Whether lanes may come from windows: where the schedule says so, and nothing is against it."""
        if ctx.guard and access.strategy in WINDOWS and access.source not in self.target.excluded:
            folded = self.storages[access.source].fold is not None
            return access.of.bytes <= 2 and not folded and at.step >= 0 and not at.steps_by(0)
        return False

    def _from_window(self, access: Access, at: Address, ctx: Lanes) -> Expr | None:
        """The element of each lane from one window; None where that is not possible, or the window is not bounded.

        Lanes that are equally far apart are a slice of the window that begins at lane 0, others a byte permute of it.
        """
        if not self._has_windows(access, at, ctx) or (at.irregular and not self.target.permutes):
            return None
        found = self._windows(access, at, ctx, WINDOWS[access.strategy], ctx.lanes, access.of.bytes)
        if found is None:
            return None
        window, extent = found
        of = u8 if access.of.is_bool else access.of
        lanes: Expr = Slice(window, 0, at.step, of, ctx.lanes, extent)
        if at.irregular:
            lanes = Permute(window, self._relative(at, ctx), of, extent)
        return Binary("ne", lanes, Broadcast(Const(0, u8), ctx.lanes)) if access.of.is_bool else lanes

    def _groups_from_window(self, access: Access, at: Address, ctx: Lanes, group: int, tap: int) -> Expr | None:
        """Groups of bytes, as the CPU permutes them, the fewest instructions first.

        Where it does so only within blocks, every few lanes have a small window of their own.
        """
        if not self._has_windows(access, at, ctx):
            return None
        size = tap * (group - 1) + 1
        if self.target.permutes:
            found = self._windows(access, at, ctx, WINDOWS[access.strategy], ctx.lanes, size)
            if found is None:
                return None
            window, extent = found
            return Permute(window, self._relative(at, ctx), i32, extent, const(tap), group)
        if not self.target.blocks or ctx.lanes % BLOCK_LANES:
            return None
        near = self._near(access, at, ctx, size)
        if near is not None:
            window, offsets, extent = near
            return Permute(window, offsets, i32, extent, const(tap), group, blocks=True)
        found = self._windows(access, at, ctx, BLOCK, BLOCK_LANES, size)
        if found is None:
            return None
        window, extent = found
        offsets = Unary("from_first_of_four", self._relative(at, ctx))
        return Permute(window, offsets, i32, extent, const(tap), group, blocks=True)

    def _near(self, access: Access, at: Address, ctx: Lanes, size: int) -> tuple[Expr, Expr, Expr] | None:
        """Blocks of four lanes from one read for all, if a lane needs `size` bytes; offsets in a block, and its extent.

        A block begins with the word that has the first byte of its first lane, so up to three bytes are in front.
        """
        if not self.target.words or ctx.lanes != REGISTER_LANES or near_name(access.source) in self.target.excluded:
            return None
        block = self._extent(access, at, ctx, BLOCK_LANES, size + 3)
        if block is None or (algebra.value_of(block) or 0) > BLOCK:
            return None
        found = self._windows(access, at, ctx, REGISTER, REGISTER_LANES, size)
        if found is None:
            return None
        window, extent = found
        relative = self._relative(at, ctx)
        within = Unary("from_first_of_four", relative)
        first = Binary("sub", relative, within)

        def each(value: int) -> Expr:
            return _const32(value, ctx.lanes)

        places = Binary("add", Binary("shr", first, each(2)), Binary("and", Iota(ctx.lanes, i32), each(3)))
        offsets = Binary("add", within, Binary("and", first, each(3)))
        return Words(window, places, extent), offsets, block

    def _extent(self, access: Access, at: Address, ctx: Lanes, each: int, size: int) -> Expr | None:
        """How many bytes `each` lanes need from the first of them on, if a lane needs `size`; None without a bound."""
        owned = self.storages[access.source].owned
        extent: Expr = const(at.step * (each - 1) + size)
        for offset, stride in at.irregular:
            growth = self._growth(offset, replace(ctx, lanes=each))
            if growth is None or (owned and algebra.value_of(stride) is None):
                return None
            extent = add(extent, mul(growth, stride))
        return extent

    def _windows(
        self, access: Access, at: Address, ctx: Lanes, width: int, each: int, size: int
    ) -> tuple[Expr, Expr] | None:
        """Reads of `width` bytes, one from the first of every `each` lanes on, and how many of these bytes are needed.

        `size` is how many each lane needs. None where that is more than the width, or has no bound.
        """
        extent = self._extent(access, at, ctx, each, size)
        if extent is None or (algebra.value_of(extent) or 0) > width:
            return None
        reads = []
        for lane in range(0, ctx.lanes, each):
            start = add(at.base, const(at.step * lane))
            for offset, stride in at.irregular:
                there = self._scalar(algebra.substitute(offset, {ctx.var: const(lane)}))
                start = add(start, mul(there, stride))
            reads.append(Load(access.source, start, u8, width, "dense", constant=self._is_constant(access.source)))
        if not self.storages[access.source].owned:
            assert ctx.guard is not None
            furthest = self._furthest(reads[-1].address, ctx.guard.inside)
            if furthest is None:
                return None
            ctx.guard.reach(access.source, add(furthest, const(width)))
        return reads[0] if len(reads) == 1 else Concat(tuple(reads)), extent

    def _relative(self, at: Address, ctx: Lanes) -> Expr:
        """How many bytes the access of each lane is behind that of lane 0, in i32."""
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

    def _words(self, access: Access, at: Address, ctx: Lanes, group: int) -> Expr | None:
        """The byte of each lane and what follows it, two bytes as a pair or four as they are, by one read a lane.

        None where what follows may not be read: only memory of our own has slack behind it.
        """
        storage = self.storages[access.source]
        if not storage.owned or storage.fold or at.steps_by(0):
            return None
        word = self._scattered(access, at, ctx, i32 if group == 4 else u16)
        if group == 4:
            return word
        both = Cast(i32, word)
        first, second = (Binary("and", both, Broadcast(Const(mask, i32), ctx.lanes)) for mask in (0x00FF, 0xFF00))
        return Binary("or", first, Binary("shl", second, Broadcast(Const(8, i32), ctx.lanes)))

    def _furthest(self, address: Expr, inside: frozenset[str]) -> Expr | None:
        """The greatest `address` over loops inside the vectorized one; those around it are in scope of the check."""
        inner = {k: r for k, r in self.ranges.items() if k in inside}
        for _ in range(len(inner) + 1):
            if not names(address) & inside:
                return address
            try:
                _, address = self.bounds.interval(address, inner)
            except CompileError:
                return None
        return None

    def _growth(self, index: Expr, ctx: Lanes) -> Expr | None:
        """How much `index` grows at most from lane 0 to the last, if it never shrinks."""
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
            access = term.a if isinstance(term, Cast) and term.to == i64 else term
            if not isinstance(access, Access) or len(access.index) != 1:
                return None
            table = self.bounds.inputs.get(access.source)
            regular = affine(access.index[0], ctx)
            if table is None or not table.monotone or regular is None or regular[1] < 0:
                return None
            total = add(total, mul(Name(step_name(access.source, regular[1] * (ctx.lanes - 1))), const(k)))
        return total

    def _narrow(self, index: Expr, ctx: Lanes) -> Expr:
        """How far `index` of each lane is from that of lane 0, in i32.

        Exact, because only sums and multiples of table reads and lanes come here, whose i32 arithmetic is right modulo
        2^32, and the result is small. What is the same in all lanes cancels.
        """
        terms, _ = algebra.linear(index)
        out: Expr | None = None
        for term, k in terms.items():
            if not depends(term, ctx):
                continue
            if term == Name(ctx.var):
                part: Expr = Iota(ctx.lanes, i32)
            else:
                access = term.a if isinstance(term, Cast) else term
                lanes, first = self.value(access, ctx), self._scalar(algebra.substitute(access, {ctx.var: ZERO}))
                if lanes.elem != i32:
                    lanes, first = Cast(i32, lanes), Cast(i32, first)
                part = Binary("sub", lanes, Broadcast(first, ctx.lanes))
            if k != 1:
                part = Binary("mul", part, _const32(k, ctx.lanes))
            out = part if out is None else Binary("add", out, part)
        assert out is not None
        return out

    def _put(self, put: Put, ctx: Lanes | None) -> Stmt:
        storage = self.storages[put.target]
        value = self.value(put.value, ctx)
        if ctx is None or not any(depends(i, ctx) for i in put.index):
            if value.lanes > 1:
                raise CompileError(f"a vector of {put.target} has one place")
            return Store(put.target, address(storage, tuple(self._scalar(i) for i in put.index)), value)
        value = spread(value, ctx.lanes)
        at = self._split(put, ctx)
        if at.steps_by(value.elem.bytes):
            return Store(put.target, at.base, value, None, ctx.count, ctx.left if storage.stream else None)
        offsets = self._lane_offsets(at, replace(ctx, count=None))
        return Store(put.target, at.base, value, offsets, ctx.count or const(ctx.lanes))


@dataclass(frozen=True)
class _Clamped:
    """Evaluates coordinates with given lane numbers."""

    vectorizer: Vectorizer
    ctx: Lanes
    lane: Expr

    def value(self, expr: Expr) -> Expr:
        ctx = self.ctx
        if isinstance(self.lane, Iota):
            return spread(self.vectorizer.value(expr, ctx), ctx.lanes)
        if not depends(expr, ctx):
            return spread(self.vectorizer.scalar(expr), ctx.lanes)
        if isinstance(expr, Name):
            return self.lane if expr.name == ctx.var else Name(expr.name, expr.of, ctx.lanes)
        if isinstance(expr, Access):
            storage = self.vectorizer.storages[expr.source]
            offset: Expr | None = None
            for o, stride in zip(storage.offsets(expr.index), storage.strides, strict=True):
                part = Binary("mul", self.value(o), Broadcast(stride, ctx.lanes))
                offset = part if offset is None else Binary("add", offset, part)
            return Load(expr.source, Name(storage.buffer), expr.of, ctx.lanes, "pick", offset)
        return expr.rebuilt(tuple(self.value(c) for c in expr.children))


def _const32(value: int, lanes: int) -> Expr:
    return Broadcast(Const(value, i32), lanes)


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
