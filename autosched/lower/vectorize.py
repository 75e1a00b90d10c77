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
    end_name,
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
from autosched.lower.lanes import Lanes, affine, depends, spread
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
        #: How far windows of each source reach in the vectorized loop being done, and the ranges of loops around them.
        self.reaches: dict[str, Expr] = {}
        self.ranges: dict[str, Interval] = {}
        self.inside: frozenset[str] = frozenset()

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

        def body(count: Expr | None) -> Block:
            return self.block(loop.body, Lanes(loop.name, loop.lanes, count, vectors, left, count is None))

        if extent is not None and extent != loop.lanes:
            return list(body(loop.extent))
        self.reaches = {}
        self.inside = _bound_names(loop.body)
        whole = body(None)
        condition: Expr | None = None
        for source, reach in self.reaches.items():
            inside = Binary("le", reach, Name(end_name(source)))
            condition = inside if condition is None else Binary("and", condition, inside)
        self.reaches = {}
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
        ctx = Lanes(loop.name, n, None, frozenset(), const(n))
        before: list[Stmt] = []
        inside: list[Stmt] = []
        after: list[Stmt] = []
        lane = Name(f"{loop.name}.lane")
        ctx = replace(ctx, var=lane.name)
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
            split = affine(expr, ctx)
            if split is not None:
                base, coefficient = split
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
            return Load(expr.source, _address(storage, index), expr.of, constant=self._is_constant(expr.source))
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

    def _split_index(self, storage: Storage, index: tuple[Expr, ...], ctx: Lanes) -> tuple[Expr, int | None, list[int]]:
        """Address of lane 0, bytes from lane to lane where they are constant, and the irregular coordinates."""
        address: Expr = Name(storage.buffer)
        step: int | None = 0
        irregular: list[int] = []
        offsets = storage.offsets(index)
        # coordinates of a fused loop are quotients and remainders, whose sum may still be regular where memory is dense
        bytes_known = [mul(o, s) for o, s in zip(offsets, storage.strides, strict=True) if isinstance(s, Const)]
        together = affine(add(ZERO, *bytes_known), ctx)
        if together is not None:
            address, step = add(address, self._scalar(together[0])), together[1]
        for dim, offset in enumerate(offsets):
            if together is not None and isinstance(storage.strides[dim], Const):
                continue
            split = (offset, 0) if not depends(offset, ctx) else affine(offset, ctx)
            if split is None:
                irregular.append(dim)
                continue
            base, coefficient = split
            address = add(address, mul(self._scalar(base), storage.strides[dim]))
            if coefficient:
                stride = algebra.value_of(storage.strides[dim])
                if stride is None:
                    irregular.append(dim)
                    address = sub(address, mul(self._scalar(base), storage.strides[dim]))
                elif step is not None:
                    step += coefficient * stride
        return address, step, irregular

    def _lane_offsets(self, storage: Storage, index: tuple[Expr, ...], ctx: Lanes, dims: list[int], step: int) -> Expr:
        """Bytes from the regular address, per lane; lanes that do not count repeat the last one that does."""
        lane: Expr = Iota(ctx.lanes)
        if ctx.count is not None:
            last = Broadcast(maximum(sub(ctx.count, ONE), ZERO), ctx.lanes)
            lane = Binary("min", lane, last)
        clamped = _Clamped(self, ctx, lane)
        out: Expr | None = None
        if step:
            out = Binary("mul", lane, Broadcast(const(step), ctx.lanes)) if step != 1 else lane
        offsets = storage.offsets(index)
        for dim in dims:
            part = clamped.value(offsets[dim])
            stride = storage.strides[dim]
            if algebra.value_of(stride) != 1:
                part = Binary("mul", part, Broadcast(stride, ctx.lanes))
            out = part if out is None else Binary("add", out, part)
        return Broadcast(ZERO, ctx.lanes) if out is None else out

    def _load(self, access: Access, ctx: Lanes) -> Expr:
        storage = self.storages[access.source]
        address, step, irregular = self._split_index(storage, access.index, ctx)
        size = access.of.bytes
        constant = self._is_constant(access.source)
        if not irregular and step == 0:
            return Load(access.source, address, access.of, constant=constant)
        if not irregular and step == size:
            count = None if storage.owned else ctx.count
            return Load(access.source, address, access.of, ctx.lanes, "dense", count=count, constant=constant)
        permuted = self.permute(access, ctx)
        if permuted is not None:
            return permuted
        return self._scattered(access, ctx, access.of)

    def _scattered(self, access: Access, ctx: Lanes, of: Type) -> Expr:
        """A read of `of` where the access is in each lane."""
        storage = self.storages[access.source]
        address, step, irregular = self._split_index(storage, access.index, ctx)
        kind: LoadKind = "gather" if access.strategy == "gather" else "pick"
        offsets = self._lane_offsets(storage, access.index, ctx, irregular, step or 0)
        constant = self._is_constant(access.source)
        return Load(access.source, address, of, ctx.lanes, kind, offsets, constant=constant)

    def permute(self, access: Access, ctx: Lanes, group: int = 1, tap: Expr | None = None) -> Expr | None:
        """Lanes from windows of memory that are read whole; None where that is not possible or no window is bounded.

        Lanes that are equally far apart are a slice of the window that begins at lane 0, others a byte permute of it.
        With a `group`, each lane also reads group - 1 more bytes, `tap` bytes apart; where the CPU permutes bytes only
        within blocks, every few lanes have a small window of their own then.
        """
        storage = self.storages[access.source]
        _, step, irregular = self._split_index(storage, access.index, ctx)
        if access.strategy not in WINDOWS or access.source in self.target.excluded:
            return None
        if not ctx.windows or access.of.bytes > 2 or storage.fold or (step or 0) < 0 or not (step or irregular):
            return None
        if irregular or tap is not None:
            return self._permute(access, ctx, group, tap)
        found = self._windows(access, ctx, WINDOWS[access.strategy], ctx.lanes, const(access.of.bytes))
        if found is None:
            return None
        window, extent = found
        return _as_bool(Slice(window, 0, step or 0, _read_as(access.of), ctx.lanes, extent), access.of)

    def _permute(self, access: Access, ctx: Lanes, group: int, tap: Expr | None) -> Expr | None:
        """Lanes that are not equally far apart, or groups: by what the CPU has, the fewest instructions first."""
        size = const(access.of.bytes) if tap is None else add(mul(tap, const(group - 1)), ONE)
        if self.target.permutes:
            found = self._windows(access, ctx, WINDOWS[access.strategy], ctx.lanes, size)
            if found is None:
                return None
            (window, extent), relative = found, self._relative(access, ctx)
            if tap is not None:
                return Permute(window, relative, i32, extent, tap, group)
            return _as_bool(Permute(window, relative, _read_as(access.of), extent), access.of)
        if tap is None or not self.target.blocks or ctx.lanes % BLOCK_LANES:
            return None
        near = self._near(access, ctx, size)
        if near is not None:
            window, offsets, extent = near
            return Permute(window, offsets, i32, extent, tap, group, blocks=True)
        found = self._windows(access, ctx, BLOCK, BLOCK_LANES, size)
        if found is None:
            return None
        window, extent = found
        offsets = Unary("from_first_of_four", self._relative(access, ctx))
        return Permute(window, offsets, i32, extent, tap, group, blocks=True)

    def _near(self, access: Access, ctx: Lanes, size: Expr) -> tuple[Expr, Expr, Expr] | None:
        """Blocks of four lanes from one read for all, if a lane needs `size` bytes; offsets in a block, and its extent.

        A block begins with the word that has the first byte of its first lane, so up to three bytes are in front.
        """
        if not self.target.words or ctx.lanes != REGISTER_LANES or near_name(access.source) in self.target.excluded:
            return None
        block = self._extent(access, ctx, BLOCK_LANES, add(size, const(3)))
        if block is None or (algebra.value_of(block) or 0) > BLOCK:
            return None
        found = self._windows(access, ctx, REGISTER, REGISTER_LANES, size)
        if found is None:
            return None
        window, extent = found
        relative = self._relative(access, ctx)
        within = Unary("from_first_of_four", relative)
        first = Binary("sub", relative, within)

        def each(value: int) -> Expr:
            return _const32(value, ctx.lanes)

        places = Binary("add", Binary("shr", first, each(2)), Binary("and", Iota(ctx.lanes, i32), each(3)))
        offsets = Binary("add", within, Binary("and", first, each(3)))
        return Words(window, places, extent), offsets, block

    def _extent(self, access: Access, ctx: Lanes, each: int, size: Expr) -> Expr | None:
        """How many bytes `each` lanes need from the first of them on, if a lane needs `size`; None without a bound."""
        storage = self.storages[access.source]
        _, step, irregular = self._split_index(storage, access.index, ctx)
        offsets = storage.offsets(access.index)
        extent = add(const((step or 0) * (each - 1)), size)
        for dim in irregular:
            growth = self._growth(offsets[dim], replace(ctx, lanes=each))
            if growth is None or (storage.owned and algebra.value_of(storage.strides[dim]) is None):
                return None
            extent = add(extent, mul(growth, storage.strides[dim]))
        return extent

    def _windows(self, access: Access, ctx: Lanes, width: int, each: int, size: Expr) -> tuple[Expr, Expr] | None:
        """Reads of `width` bytes, one from the first of every `each` lanes on, and how many of these bytes are needed.

        `size` is how many each lane needs. None where that is more than the width, or has no bound.
        """
        extent = self._extent(access, ctx, each, size)
        if extent is None or (algebra.value_of(extent) or 0) > width:
            return None
        storage = self.storages[access.source]
        address, step, irregular = self._split_index(storage, access.index, ctx)
        offsets = storage.offsets(access.index)
        reads = []
        for lane in range(0, ctx.lanes, each):
            start = add(address, const((step or 0) * lane))
            for dim in irregular:
                there = self._scalar(algebra.substitute(offsets[dim], {ctx.var: const(lane)}))
                start = add(start, mul(there, storage.strides[dim]))
            reads.append(Load(access.source, start, u8, width, "dense", constant=self._is_constant(access.source)))
        if not storage.owned:
            furthest = self._furthest(reads[-1].address)
            if furthest is None:
                return None
            reach = add(furthest, const(width))
            self.reaches[access.source] = maximum(self.reaches.get(access.source, reach), reach)
        return reads[0] if len(reads) == 1 else Concat(tuple(reads)), extent

    def _relative(self, access: Access, ctx: Lanes) -> Expr:
        """How many bytes the access of each lane is behind that of lane 0, in i32."""
        storage = self.storages[access.source]
        _, step, irregular = self._split_index(storage, access.index, ctx)
        offsets = storage.offsets(access.index)
        out: Expr | None = None
        if step:
            out = Binary("mul", Iota(ctx.lanes, i32), _const32(step, ctx.lanes))
        for dim in irregular:
            part = self._narrow(offsets[dim], ctx)
            if algebra.value_of(storage.strides[dim]) != 1:
                part = Binary("mul", part, Broadcast(Cast(i32, storage.strides[dim]), ctx.lanes))
            out = part if out is None else Binary("add", part, out)
        assert out is not None
        return out

    def words(self, access: Access, ctx: Lanes, group: int) -> Expr | None:
        """The byte of each lane and what follows it, two bytes as a pair or four as they are, by one read a lane.

        None where what follows may not be read: only memory of our own has slack behind it.
        """
        storage = self.storages[access.source]
        if not storage.owned or storage.fold:
            return None
        _, step, irregular = self._split_index(storage, access.index, ctx)
        if not irregular and step == 0:
            return None
        word = self._scattered(access, ctx, i32 if group == 4 else u16)
        if group == 4:
            return word
        both = Cast(i32, word)
        first, second = (Binary("and", both, Broadcast(Const(mask, i32), ctx.lanes)) for mask in (0x00FF, 0xFF00))
        return Binary("or", first, Binary("shl", second, Broadcast(Const(8, i32), ctx.lanes)))

    def _furthest(self, address: Expr) -> Expr | None:
        """The greatest `address` over loops inside the vectorized one; those around it are in scope of the check."""
        inner = {k: r for k, r in self.ranges.items() if k in self.inside}
        for _ in range(len(inner) + 1):
            if not names(address) & self.inside:
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
            split = affine(access.index[0], ctx)
            if table is None or not table.monotone or split is None or split[1] < 0:
                return None
            total = add(total, mul(Name(step_name(access.source, split[1] * (ctx.lanes - 1))), const(k)))
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
            address = _address(storage, tuple(self._scalar(i) for i in put.index))
            if value.lanes > 1:
                raise CompileError(f"a vector of {put.target} has one place")
            return Store(put.target, address, value)
        value = spread(value, ctx.lanes)
        address, step, irregular = self._split_index(storage, put.index, ctx)
        if not irregular and step == value.elem.bytes:
            return Store(put.target, address, value, None, ctx.count, ctx.left if storage.stream else None)
        whole = replace(ctx, count=None)
        offsets = self._lane_offsets(storage, put.index, whole, irregular, step or 0)
        return Store(put.target, address, value, offsets, ctx.count or const(ctx.lanes))


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


def _read_as(of: Type) -> Type:
    """How elements of a type are read: bools as bytes."""
    return u8 if of.is_bool else of


def _as_bool(value: Expr, of: Type) -> Expr:
    """The bytes of bools as bools; anything else as it is."""
    return Binary("ne", value, Broadcast(Const(0, u8), value.lanes)) if of.is_bool else value


def _const32(value: int, lanes: int) -> Expr:
    return Broadcast(Const(value, i32), lanes)


def _address(storage: Storage, index: tuple[Expr, ...]) -> Expr:
    out: Expr = Name(storage.buffer)
    for offset, stride in zip(storage.offsets(index), storage.strides, strict=True):
        out = add(out, mul(offset, stride))
    return out


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
