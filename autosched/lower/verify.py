"""The IR verifier: what every pass must leave true. Runs between passes in tests, and when AUTOSCHED_VERIFY is set."""

from __future__ import annotations

from autosched.errors import CompileError
from autosched.lang.types import b1, i32, i64, u8
from autosched.lower.demands import REGISTER, REGISTER_LANES, SHUFFLE_BYTES, SHUFFLE_LANES, WINDOWS
from autosched.lower.ir import (
    Access,
    Assign,
    Binary,
    Block,
    Broadcast,
    Concat,
    Dot,
    Expr,
    For,
    FromFirstOfFour,
    FusedMultiplyAdd,
    Group,
    If,
    Let,
    Load,
    Name,
    Permute,
    PermuteWords,
    Prefetch,
    Put,
    Reinterpret,
    Require,
    Reserve,
    Select,
    Slice,
    Store,
    expressions,
    walk,
)


def verify(block: Block, given: frozenset[str], *, vectorized: bool) -> None:
    """Raise CompileError where names are used before they are bound, types or lanes clash, or a form is out of place.

    `given` are the names bound outside, all scalars. After vectorization no Access, Put or vectorized loop may
    be left; before it no Load, Store or lanes may be there.
    """
    _block(block, dict.fromkeys(given, 1), vectorized)


def _block(block: Block, scope: dict[str, int], vectorized: bool) -> None:
    for stmt in block:
        if vectorized and (isinstance(stmt, Put) or (isinstance(stmt, For) and stmt.kind != "serial")):
            raise CompileError(f"{type(stmt).__name__} is left after vectorization")
        if not vectorized and isinstance(stmt, Store):
            raise CompileError("a Store before vectorization")
        for e in expressions(stmt):
            _expr(e, scope, vectorized)
        match stmt:
            case For():
                _index(stmt.lo, "the start of a loop")
                _index(stmt.extent, "the extent of a loop")
                if stmt.step < 1 or stmt.lanes < 1:
                    raise CompileError(f"loop {stmt.name} has step {stmt.step} and {stmt.lanes} lanes")
                _block(stmt.body, {**scope, stmt.name: 1}, vectorized)
            case If():
                _condition(stmt.condition)
                _block(stmt.then, dict(scope), vectorized)
                _block(stmt.otherwise, dict(scope), vectorized)
            case Let() | Assign():
                if scope.get(stmt.name, stmt.value.lanes) != stmt.value.lanes:
                    raise CompileError(f"{stmt.name} has {scope[stmt.name]} lanes and is given {stmt.value.lanes}")
                scope[stmt.name] = stmt.value.lanes
            case Prefetch():
                _index(stmt.address, "an address")
            case Reserve():
                _index(stmt.size, "the size of a buffer")
                scope[stmt.buffer] = 1
            case Require():
                _condition(stmt.condition)
            case Store():
                _index(stmt.address, "an address")
                if stmt.buffer not in scope:
                    raise CompileError(f"buffer {stmt.buffer} is written before it is reserved")
            case Put():
                for i in stmt.index:
                    _index(i, f"an index of {stmt.target}")


def _index(e: Expr, what: str) -> None:
    if e.elem != i64 or e.lanes != 1:
        raise CompileError(f"{what} is {e.elem} with {e.lanes} lanes, not a coordinate: {e}")


def _condition(e: Expr) -> None:
    if e.elem != b1 or e.lanes != 1:
        raise CompileError(f"a condition is {e.elem} with {e.lanes} lanes: {e}")


def _expr(expr: Expr, scope: dict[str, int], vectorized: bool) -> None:
    for e in walk(expr):
        if not vectorized and e.lanes != 1:
            raise CompileError(f"{e.lanes} lanes before vectorization: {e}")
        match e:
            case Name() if e.name not in scope:
                raise CompileError(f"{e.name} is used before it is bound, in {expr}")
            case Name() if vectorized and scope[e.name] != e.lanes:
                raise CompileError(f"{e.name} has {scope[e.name]} lanes and is read with {e.lanes}")
            case Binary(a=a, b=b) if a.elem != b.elem or a.lanes != b.lanes:
                raise CompileError(f"{e.op} of {a.elem}x{a.lanes} and {b.elem}x{b.lanes}: {e}")
            case Select(condition=c, a=a, b=b) if (
                c.elem != b1 or a.elem != b.elem or a.lanes != b.lanes or c.lanes != a.lanes
            ):
                raise CompileError(f"select of {c.elem}x{c.lanes}, {a.elem}x{a.lanes}, {b.elem}x{b.lanes}")
            case FusedMultiplyAdd() if len({(x.elem, x.lanes) for x in e.children}) != 1:
                raise CompileError(f"fma of {', '.join(f'{x.elem}x{x.lanes}' for x in e.children)}")
            case Reinterpret(to=to, a=a) if to.bits != a.elem.bits or to.is_float == a.elem.is_float:
                raise CompileError(f"the bits of {a.elem} as {to}")
            case Broadcast(a=a) if a.lanes != 1:
                raise CompileError(f"a broadcast of {a.lanes} lanes")
            case Load(address=address, offsets=offsets):
                _index(address, "an address")
                if not vectorized:
                    raise CompileError("a Load before vectorization")
                if offsets is not None and offsets.lanes != e.lanes:
                    raise CompileError(f"{offsets.lanes} offsets for {e.lanes} lanes")
            case FromFirstOfFour(a=a) if a.lanes % SHUFFLE_LANES or not a.elem.is_int:
                raise CompileError(f"lanes among four, of {a.elem}x{a.lanes}")
            case Permute(window=window) | Slice(window=window) if not _is_window(e, window):
                raise CompileError(f"a permute or slice of {window.elem}x{window.lanes}")
            case PermuteWords(window=window, places=places) if (
                window.lanes != REGISTER or places.lanes != REGISTER_LANES
            ):
                raise CompileError(f"words of {window.elem}x{window.lanes} at {places.elem}x{places.lanes}")
            case Permute(offsets=offsets) if e.group > 1 and (e.of != i32 or offsets.elem != i32):
                raise CompileError(f"a group of bytes in {e.of} at offsets in {offsets.elem}, not in i32")
            case Access() if vectorized:
                raise CompileError(f"an Access of {e.source} is left after vectorization")
            case Concat(parts=parts) if len({(p.elem, p.lanes) for p in parts}) != 1 or len(parts) & (len(parts) - 1):
                raise CompileError(f"{' and '.join(f'{p.elem}x{p.lanes}' for p in parts)} end to end")
            case Group(parts=parts) if len({(p.elem, p.lanes) for p in parts}) != 1 or any(
                p.elem.bits > 16 for p in parts
            ):
                raise CompileError(f"a group of {', '.join(f'{p.elem}x{p.lanes}' for p in parts)}")
            case Dot(acc=acc, data=data, weights=weights) if {(x.elem, x.lanes) for x in (acc, data, weights)} != {
                (i32, acc.lanes)
            }:
                raise CompileError(
                    f"a dot product of {acc.elem}x{acc.lanes}, {data.elem}x{data.lanes}, {weights.elem}x{weights.lanes}"
                )


def _is_window(reader: Permute | Slice, window: Expr) -> bool:
    """Whether what is read whole is as long as it must be: a window, or a block for every four lanes."""
    blocks = reader.lanes // SHUFFLE_LANES * SHUFFLE_BYTES
    sizes = (blocks,) if isinstance(reader, Permute) and reader.per_four_lanes else WINDOWS.values()
    return window.elem == u8 and window.lanes in sizes
