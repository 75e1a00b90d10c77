"""Which i64 arithmetic may wrap around.

The language's integers wrap, and i64 is both the type of coordinates and of values. Coordinates, extents, strides and
addresses are small enough for every sum and product that a program makes of a few of them; values are anything. Where
arithmetic may wrap, algebra must not reason as if it were exact, and generated code must not use Numba's own
operators, whose overflow LLVM takes to be impossible.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from autosched.lang.types import i64
from autosched.lower.ir import Binary, Cast, Const, Expr, Name, Select, Unary

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
#: What a coordinate is taken to be at most where it meets a value in min, max, and, ...
_COORDINATE = 1 << 40
#: What may be added to a coordinate or multiplied with it: everything of 32 bits.
_SMALL = 1 << 33
#: So many coordinates, extents and strides may be multiplied.
_FACTORS = 4


@dataclass(frozen=True)
class Range:
    """The least and greatest value of an i64 expression.

    `degree` is how many coordinates are multiplied in it, 0 where it is a plain number. `exact` where no sum, product
    or difference in it, down to what else it is made of, can have wrapped.
    """

    lo: int
    hi: int
    degree: int = 0
    exact: bool = True


_ANY = Range(_LEAST, _MOST)
_WRAPPED = Range(_LEAST, _MOST, exact=False)


def exact(expr: Expr) -> bool:
    """Whether the sums, differences and products that `expr` consists of cannot wrap."""
    return value_range(expr).exact


def may_wrap(expr: Expr) -> bool:
    """Whether this i64 operation may overflow, or has an operand that may."""
    match expr:
        case Binary(op="floordiv", a=a, b=b):
            dividend, divisor = value_range(a), value_range(b)
            return dividend.lo == _LEAST and divisor.lo <= -1 <= divisor.hi
        case Binary(op="shl", b=b):
            return not (isinstance(b, Const) and 0 <= b.value < 63 and exact(expr))
        case Binary(op="add" | "sub" | "mul") | Unary(op="neg"):
            return not exact(expr)
    return False


def unbounded(expr: Expr) -> bool:
    """Whether `expr` is a value that may be anything, not a coordinate."""
    found = value_range(expr)
    return not found.exact or (found.degree == 0 and not _fits(found, _COORDINATE))


@lru_cache(maxsize=1 << 14)
def value_range(expr: Expr) -> Range:
    """The values that `expr`, an i64, can have."""
    match expr:
        case Const(value=value):
            return Range(int(value), int(value))
        case Name(within=(lo, hi)):
            return Range(lo, hi)
        case Name(data=data):
            return _ANY if data else Range(-_COORDINATE, _COORDINATE, 1)
        case Cast(a=a):
            if a.elem.is_bool or (a.elem.is_int and a.elem.bits < 64):
                return Range(int(a.elem.min), int(a.elem.max))
            return value_range(a) if a.elem == i64 else _ANY
        case Select(a=a, b=b):
            return _hull(value_range(a), value_range(b))
        case Unary(op="neg", a=a):
            return _arithmetic("sub", Range(0, 0), value_range(a))
        case Binary(op=op, a=a, b=b):
            return _binary(op, value_range(a), value_range(b))
    return _ANY


def _fits(r: Range, limit: int) -> bool:
    return -limit <= r.lo and r.hi <= limit


def _hull(a: Range, b: Range) -> Range:
    return _with_degree(min(a.lo, b.lo), max(a.hi, b.hi), a, b)


def _with_degree(lo: int, hi: int, a: Range, b: Range) -> Range:
    degree = max(a.degree, b.degree) if lo >= -_COORDINATE and hi <= _COORDINATE else 0
    return Range(lo, hi, degree, a.exact and b.exact)


def _arithmetic(op: str, a: Range, b: Range) -> Range:
    if not (a.exact and b.exact):
        return _WRAPPED
    if a.degree or b.degree:
        if not all(r.degree or _fits(r, _SMALL) for r in (a, b)):
            return _WRAPPED
        degree = a.degree + b.degree if op == "mul" else max(a.degree, b.degree)
        return Range(-_COORDINATE, _COORDINATE, degree) if degree <= _FACTORS else _WRAPPED
    if op == "mul":
        corners = [x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)]
        lo, hi = min(corners), max(corners)
    elif op == "add":
        lo, hi = a.lo + b.lo, a.hi + b.hi
    else:
        lo, hi = a.lo - b.hi, a.hi - b.lo
    return Range(lo, hi) if lo >= _LEAST and hi <= _MOST else _WRAPPED


def _binary(op: str, a: Range, b: Range) -> Range:
    match op:
        case "add" | "sub" | "mul":
            return _arithmetic(op, a, b)
        case "min":
            return _with_degree(min(a.lo, b.lo), min(a.hi, b.hi), a, b)
        case "max":
            return _with_degree(max(a.lo, b.lo), max(a.hi, b.hi), a, b)
        case "shl" if b.lo == b.hi and 0 <= b.lo < 63:
            return _arithmetic("mul", a, Range(1 << b.lo, 1 << b.lo))
        case "and" if a.lo >= 0 or b.lo >= 0:
            return Range(0, min(r.hi for r in (a, b) if r.lo >= 0))
        case "mod" | "wrap":
            return Range(min(b.lo + 1, 0), max(b.hi - 1, 0), b.degree)
        case "floordiv" if a.degree == 0 and b.lo == b.hi > 0:
            return Range(a.lo // b.lo, a.hi // b.lo, exact=a.exact)
        case "floordiv" | "shr" if a.lo > _LEAST:
            most = max(abs(a.lo), abs(a.hi))
            return Range(-most, most, a.degree)
        case "and" | "or" | "xor" if a.degree and b.degree:
            return _hull(a, b)
    return _ANY


__all__ = ["Range", "exact", "may_wrap", "unbounded", "value_range"]
