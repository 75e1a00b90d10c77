"""Smart constructors for coordinates: sums in a canonical form, so that equal ones look equal and constants fold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from autosched.lang.types import i64
from autosched.lower.ir import Binary, BinaryOp, Const, Expr, Name, names, transform
from autosched.lower.wrapping import exact, value_range

Terms = dict[Expr, int]
_LEAST = -(1 << 63)
ZERO = Const(0)
ONE = Const(1)


def const(value: int) -> Const:
    """A coordinate known at compile time."""
    return Const(value)


def value_of(expr: Expr) -> int | None:
    """The integer that `expr` is, if it is one."""
    return int(expr.value) if isinstance(expr, Const) else None


def linear(expr: Expr) -> tuple[Terms, int]:
    """`expr` as a sum of integer multiples of terms, and a constant."""
    match expr:
        case Const(value=value):
            return {}, int(value)
        case Binary(op="add" | "sub" as op, a=a, b=b):
            terms, c = linear(a)
            terms = dict(terms)
            more, d = linear(b)
            sign = 1 if op == "add" else -1
            for term, k in more.items():
                terms[term] = terms.get(term, 0) + sign * k
            return {t: k for t, k in terms.items() if k}, c + sign * d
        case Binary(op="mul", a=a, b=Const(value=k)):
            terms, c = linear(a)
            return ({t: n * int(k) for t, n in terms.items()} if k else {}), c * int(k)
        case Binary(op="mul", a=Const() as a, b=b):
            return linear(Binary("mul", b, a))
    return {expr: 1}, 0


def from_linear(terms: Terms, c: int) -> Expr:
    """The canonical sum; x // n * n + x % n becomes x."""
    terms = {t: _wrapped(k) for t, k in _rejoin(terms).items()}
    c = _wrapped(c)
    out: Expr | None = None
    for term, k in sorted(terms.items(), key=lambda item: item[1] < 0):
        if not k:
            continue
        if k == _LEAST:  # whose absolute value is no i64
            least: Expr = Binary("mul", term, Const(k))
            out = least if out is None else Binary("add", out, least)
            continue
        size = abs(k)
        part: Expr = term if size == 1 else Binary("mul", term, Const(size))
        if out is None:
            out = part if k > 0 else Binary("mul", term, Const(k))
        else:
            out = Binary("add" if k > 0 else "sub", out, part)
    if out is None:
        return Const(c)
    if c:
        out = Binary("sub", out, Const(-c)) if _LEAST < c < 0 else Binary("add", out, Const(c))
    return out


def _wrapped(k: int) -> int:
    """`k` modulo 2^64, as an i64."""
    return (k - _LEAST) % (1 << 64) + _LEAST


def _rejoin(terms: Terms) -> Terms:
    for term, k in terms.items():
        if isinstance(term, Binary) and term.op == "mod" and isinstance(term.b, Const):
            quotient = Binary("floordiv", term.a, term.b)
            n = int(term.b.value)
            if n and terms.get(quotient) == k * n:
                rest = {t: m for t, m in terms.items() if t not in (term, quotient)}
                more, c = linear(term.a)
                if c == 0:
                    for t, m in more.items():
                        rest[t] = rest.get(t, 0) + m * k
                    return _rejoin(rest)
    return terms


def add(*exprs: Expr) -> Expr:
    """The sum."""
    terms: Terms = {}
    c = 0
    for e in exprs:
        more, d = linear(e)
        c += d
        for term, k in more.items():
            terms[term] = terms.get(term, 0) + k
    return from_linear({t: k for t, k in terms.items() if k}, c)


def sub(a: Expr, b: Expr) -> Expr:
    """The difference."""
    return from_linear(*linear(Binary("sub", a, b)))


def mul(a: Expr, b: Expr) -> Expr:
    """The product."""
    if isinstance(a, Const):
        a, b = b, a
    if isinstance(b, Const):
        return from_linear(*linear(Binary("mul", a, b)))
    return Binary("mul", a, b)


def difference(a: Expr, b: Expr) -> int | None:
    """a - b where that is a constant."""
    terms, c = linear(Binary("sub", a, b))
    return None if terms else c


def minimum(a: Expr, b: Expr) -> Expr:
    """The lesser."""
    return _extreme("min", a, b)


def maximum(a: Expr, b: Expr) -> Expr:
    """The greater."""
    return _extreme("max", a, b)


def _extreme(op: Literal["min", "max"], a: Expr, b: Expr) -> Expr:
    d = difference(a, b)
    if d is not None:
        return a if (d <= 0) == (op == "min") else b
    for x, y in ((a, b), (b, a)):
        if isinstance(x, Binary) and x.op == op:
            for inner, other in ((x.a, x.b), (x.b, x.a)):
                if difference(inner, y) is not None:
                    return _extreme(op, _extreme(op, inner, y), other)
    # a constant last, so that min(min(x, 5), 3) folds and reads well
    return Binary(op, b, a) if isinstance(a, Const) else Binary(op, a, b)


def floordiv(a: Expr, b: Expr) -> Expr:
    """a // b, 0 where b is 0."""
    n = value_of(b)
    if n is None:
        return Binary("floordiv", a, b)
    if n == 0:
        return ZERO
    if n == 1:
        return a
    terms, c = linear(a)
    if n > 0 and all(k % n == 0 for k in terms.values()):
        return from_linear({t: k // n for t, k in terms.items()}, c // n)
    if not terms:
        return Const(_wrapped(c // n))
    whole = Binary("floordiv", a, b)
    known = value_range(whole)
    return Const(known.lo) if known.exact and known.lo == known.hi else whole


def mod(a: Expr, b: Expr) -> Expr:
    """a % b, 0 where b is 0."""
    n = value_of(b)
    if n is None:
        return Binary("mod", a, b)
    if n in (0, 1):
        return ZERO
    terms, c = linear(a)
    if n > 0:
        rest = {t: k for t, k in terms.items() if k % n}
        if not rest:
            return Const(c % n)
        if len(rest) < len(terms):
            return Binary("mod", from_linear(rest, c % n), b)
    return Binary("mod", a, b)


def whole_and_rest(extent: Expr, n: int) -> tuple[Expr, Expr]:
    """The iterations of `extent` that are in whole blocks of `n`, and those that are left over; neither is negative."""
    extent = maximum(extent, ZERO)
    whole = mul(floordiv(extent, const(n)), const(n))
    return whole, sub(extent, whole)


def as_part(e: Expr, op: str) -> Expr:
    """`e` as a part of a fused loop, unless it is simpler than a quotient or a remainder by something variable."""
    if isinstance(e, Binary) and e.op == op and not isinstance(e.b, Const):
        return replace(e, part=True)
    return e


def ceildiv(a: Expr, n: int) -> Expr:
    """a / n rounded up, n > 0."""
    return floordiv(add(a, Const(n - 1)), Const(n))


#: Operations whose simplification holds for arithmetic that wraps around, too.
_MODULAR = frozenset({"add", "sub", "mul"})
_MAKERS: dict[str, Callable[[Expr, Expr], Expr]] = {
    "add": add, "sub": sub, "mul": mul, "min": minimum, "max": maximum, "floordiv": floordiv, "mod": mod,
}  # fmt: skip


def make(op: BinaryOp, a: Expr, b: Expr) -> Expr:
    """`op` of two i64, simplified as far as that is right for any values: they may come from the algorithm."""
    maker = _MAKERS.get(op)
    if maker is None or a.elem != i64:
        return Binary(op, a, b)
    if op not in _MODULAR and not (exact(a) and exact(b)):
        return Binary(op, a, b)
    return maker(a, b)


def substitute(expr: Expr, env: dict[str, Expr]) -> Expr:
    """`expr` with names replaced, simplified again where coordinates change."""
    if not env or not (names(expr) & env.keys()):
        return expr

    def rule(e: Expr) -> Expr | None:
        if isinstance(e, Name):
            return env.get(e.name, e)
        if isinstance(e, Binary) and e.elem == i64 and e.op in _MAKERS:
            made = make(e.op, substitute(e.a, env), substitute(e.b, env))
            return as_part(made, e.op) if e.part else made
        return None

    return transform(expr, rule)
