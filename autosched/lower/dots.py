"""Widening dot products: a reduction of products of narrow integers, several iterations in one instruction.

`acc += i32(data) * i32(weight)` over a vectorized coordinate k of a reduction, within a vectorized loop. Iterations are
taken two at a time (pairs of 16-bit integers) or four at a time (bytes). Where the weight is a table that k indexes
alone in one dimension, the table is packed into groups when a call is bound, with zeros behind the end of the domain,
so no iterations are left over; weights wider than a byte are split into signed bytes, one accumulator each. Integer
sums wrap modulo 2^32, so every order of them has the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from autosched.lang.types import i32
from autosched.lower import algebra
from autosched.lower.algebra import ONE, ZERO, add, ceildiv, const, minimum, mul, sub
from autosched.lower.demands import PackedTable
from autosched.lower.ir import (
    Access,
    Assign,
    Binary,
    Broadcast,
    Cast,
    Const,
    Dot,
    Expr,
    For,
    Group,
    Name,
    Stmt,
    map_expressions,
    names,
)
from autosched.lower.lanes import Lanes, spread
from autosched.lower.values import Values

#: Signed bytes that a weight of each type is split into; one more where a table has values that they do not hold,
#: such as 32640 and above for i16. With as many bytes as i32 has, every value is exact modulo 2^32.
PLANES = {"i8": 1, "i16": 2, "i32": 3}

#: Turns of a loop that are written out one after the other, where their number is known.
_WRITTEN_OUT = 4


@dataclass(frozen=True)
class _Term:
    """One accumulator: acc += data * weight."""

    acc: str
    data: Expr
    weight: Expr
    table: int | None  # the dimension of the weight that k indexes, if it can be packed


@dataclass(frozen=True)
class Dots:
    """The statements that replace a loop, and the iterations that are left over, as they were."""

    stmts: list[Stmt]
    rest: For | None = None


def dot_products(v: Values, loop: For, ctx: Lanes) -> Dots | None:
    """The loop with its iterations grouped, or None where it is not made of such products only."""
    found = [_term(v, stmt, loop) for stmt in loop.body]
    terms = [t for t in found if t is not None]
    if not terms or len(terms) != len(found) or not all(t.acc in ctx.vectors for t in terms):
        return None
    if loop.lanes % 4 == 0 and v.target.quads and all(map(_quads_apply, terms)):
        return _packed(v, loop, ctx, terms, 4)
    if loop.lanes % 2 == 0 and all(_is_short(t.data) and t.table is not None and _is_short(t.weight) for t in terms):
        return _packed(v, loop, ctx, terms, 2)
    if loop.lanes % 2 == 0 and all(_is_short(t.data) and _is_short(t.weight) for t in terms):
        return _unpacked(v, loop, ctx, terms)
    return None


def _term(v: Values, stmt: Stmt, loop: For) -> _Term | None:
    match stmt:
        case Assign(name=name, value=Binary(op="add", a=Name(name=acc, of=of), b=Binary(op="mul", a=a, b=b))) if (
            acc == name and of == i32
        ):
            left, right = _narrow(a), _narrow(b)
            for data, weight in ((left, right), (right, left)):
                dim = _table_dim(v, weight, loop)
                if dim is not None:
                    return _Term(name, data, weight, dim)
            return _Term(name, left, right, None)
    return None


def _narrow(e: Expr) -> Expr:
    """The operand of a widening to i32, or `e` itself."""
    return e.a if isinstance(e, Cast) and e.to == i32 and not e.saturating and e.a.elem.is_int else e


def _is_short(e: Expr) -> bool:
    return e.elem.name in ("u8", "i8", "i16")


def _table_dim(v: Values, e: Expr, loop: For) -> int | None:
    """The dimension that the loop's variable indexes by itself, if `e` reads an Input so."""
    if not isinstance(e, Access) or e.source not in v.bounds.inputs or loop.lo != ZERO:
        return None
    moving = [d for d, i in enumerate(e.index) if loop.name in names(i)]
    if len(moving) != 1 or e.index[moving[0]] != Name(loop.name):
        return None
    return moving[0] if e.elem.name in ("u8", "i8", "i16", "i32") else None


def _quads_apply(t: _Term) -> bool:
    return t.data.elem.name == "u8" and t.table is not None and t.weight.elem.name in PLANES


def _packed(v: Values, loop: For, ctx: Lanes, terms: list[_Term], group: int) -> Dots:
    """One loop over `loop.lanes` iterations at a time, in groups, against packed tables."""
    turns = ceildiv(v.scalar(loop.extent), loop.lanes)
    v.runs(loop.name, ZERO, turns)
    before: list[Stmt] = []
    body: list[Stmt] = []
    after: list[Stmt] = []
    for t in terms:
        assert isinstance(t.weight, Access) and t.table is not None
        more = v.target.excludes(t.weight.source, "planes")
        planes = PLANES[t.weight.elem.name] + more if group == 4 else 1
        accs = [t.acc] + [f"{t.acc}_plane{plane}" for plane in range(1, planes)]
        total: Expr = Name(t.acc, i32, ctx.lanes)
        for plane, acc in enumerate(accs[1:], 1):
            before.append(Assign(acc, Broadcast(Const(0, i32), ctx.lanes)))
            shift = Broadcast(Const(8 * plane, i32), ctx.lanes)
            total = Binary("add", total, Binary("shl", Name(acc, i32, ctx.lanes), shift))
        for j in range(0, loop.lanes, group):
            data = _group_data(v, t.data, loop, ctx, j, group)
            for plane, acc in enumerate(accs):
                pack = PackedTable(t.weight.source, t.table, group, plane, planes, loop.lanes)
                at = add(mul(Name(loop.name), const(loop.lanes // group)), const(j // group))
                weights = spread(v.value(v.tables.read(pack, t.weight, loop.extent, at), ctx), ctx.lanes)
                body.append(Assign(acc, Dot(Name(acc, i32, ctx.lanes), data, weights, group)))
        if planes > 1:
            after.append(Assign(t.acc, total))
    count = algebra.value_of(turns)
    if count is not None and count <= _WRITTEN_OUT:
        return Dots([*before, *(turn for k in range(count) for turn in _turn(body, loop.name, k)), *after])
    return Dots([*before, For(loop.name, ZERO, turns, tuple(body)), *after])


def _turn(body: list[Stmt], name: str, k: int) -> list[Stmt]:
    """The body of the loop over `name` in turn number `k`."""
    env: dict[str, Expr] = {name: const(k)}
    return [map_expressions(stmt, lambda e: algebra.substitute(e, env)) for stmt in body]


def _group_data(v: Values, data: Expr, loop: For, ctx: Lanes, offset: int, group: int) -> Expr:
    """The data of `group` iterations, starting `offset` iterations into a turn.

    The turn's first iteration always exists. Those past the end, whose weights are zero, are clamped to the last
    one, or are what the window of the others has there.
    """
    at = add(mul(Name(loop.name), const(loop.lanes)), const(offset))
    if isinstance(data, Access) and data.of.name == "u8" and ctx.lanes <= 16:
        tap = _tap(v, data, loop)
        if tap is not None:
            first = algebra.substitute(data, {loop.name: at})
            assert isinstance(first, Access)
            together = v.group(first, ctx, group, tap)
            if together is not None:
                return together
    last = add(loop.lo, sub(v.scalar(loop.extent), ONE))
    parts = []
    for j in range(group):
        k = at if offset + j == 0 else minimum(add(at, const(j)), last)
        parts.append(spread(v.value(algebra.substitute(data, {loop.name: k}), ctx), ctx.lanes))
    return Group(tuple(parts))


def _tap(v: Values, access: Access, loop: For) -> int | None:
    """Bytes from one iteration's read to the next's, where they are known and few: a window holds several."""
    storage = v.storages[access.source]
    out: Expr = ZERO
    for offset, stride in zip(storage.offsets(access.index), storage.strides, strict=True):
        if loop.name not in names(offset):
            continue
        terms, _ = algebra.linear(offset)
        k = terms.pop(Name(loop.name), 0)
        if any(loop.name in names(t) for t in terms) or k < 0:
            return None
        out = add(out, mul(stride, const(k)))
    known = algebra.value_of(out)
    return known if known is not None and 0 < known < 64 else None


def _unpacked(v: Values, loop: For, ctx: Lanes, terms: list[_Term]) -> Dots:
    """Pairs of both factors, and a last iteration by itself where their number is odd."""
    lo = v.scalar(loop.lo)
    whole, left = algebra.whole_and_rest(v.scalar(loop.extent), 2)
    later = {loop.name: add(Name(loop.name), ONE)}
    body: list[Stmt] = []
    for t in terms:
        groups = []
        for factor in (t.data, t.weight):
            both = (factor, algebra.substitute(factor, later))
            groups.append(Group(tuple(spread(v.value(f, ctx), ctx.lanes) for f in both)))
        body.append(Assign(t.acc, Dot(Name(t.acc, i32, ctx.lanes), groups[0], groups[1], 2)))
    rest = replace(loop, lo=add(lo, whole), extent=left, kind="serial", lanes=1)
    return Dots([For(loop.name, lo, whole, tuple(body), step=2)], rest)
