"""Sums of integers begin with what is added to them in the end, which saves that addition.

Rounding is the common case: (sum + half) >> precision. Integers wrap around, so the order of additions is free.
"""

from __future__ import annotations

from autosched.lower.ir import (
    Assign,
    Binary,
    Block,
    Broadcast,
    Const,
    Dot,
    Expr,
    Name,
    Stmt,
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


def seed_sums(block: Block) -> Block:
    """`block`, meaning the same."""
    out = [map_bodies(stmt, seed_sums) for stmt in block]
    for i, stmt in enumerate(out):
        if isinstance(stmt, Assign) and _zero(stmt.value):
            _seed(out, i, stmt)
    return tuple(out)


def _seed(block: list[Stmt], i: int, start: Assign) -> None:
    """Begin the sum that statement `i` sets to 0 with what is added to it, if that is its only use in the block."""
    rest = block[i + 1 :]
    last = next((j for j, stmt in enumerate(rest) if _reads(stmt, start.name)), None)
    if last is None or any(start.name in names(e) for s in statements(tuple(rest[last + 1 :])) for e in expressions(s)):
        return
    nodes = [e for top in expressions(rest[last]) for e in walk(top)]
    found = [e for e in nodes if isinstance(e, Binary) and e.op == "add" and _is(start.name, e.a, e.b)]
    if len(found) != 1 or sum(_is(start.name, e) for e in nodes) != 1:
        return
    whole = found[0]
    total, added = (whole.a, whole.b) if _is(start.name, whole.a) else (whole.b, whole.a)
    changing, written = changes(tuple(rest[: last + 1]))
    if names(added) & changing or buffers(added) & written:
        return
    block[i] = Assign(start.name, added)
    block[i + 1 + last] = map_expressions(rest[last], lambda e: transform(e, lambda x: total if x == whole else None))


def _zero(e: Expr) -> bool:
    if isinstance(e, Broadcast):
        return _zero(e.a)
    return isinstance(e, Const) and e.elem.is_int and e.value == 0


def _is(name: str, *exprs: Expr) -> bool:
    """Whether one of them is the variable of that name."""
    return any(isinstance(e, Name) and e.name == name for e in exprs)


def _reads(stmt: Stmt, name: str) -> bool:
    """Whether a statement reads the sum `name` other than to add to it."""
    for inner in statements((stmt,)):
        if isinstance(inner, Assign) and inner.name == name and _adds(inner.value, name):
            continue
        if any(name in names(e) for e in expressions(inner)):
            return True
    return False


def _adds(e: Expr, name: str) -> bool:
    """Whether `e` is the sum `name` and something that does not depend on it."""
    match e:
        case Name():
            return e.name == name
        case Dot(acc=acc, data=data, weights=weights):
            return _adds(acc, name) and name not in names(data) | names(weights)
        case Binary(op="add", a=a, b=b):
            return (_adds(a, name) and name not in names(b)) or (_adds(b, name) and name not in names(a))
    return False
