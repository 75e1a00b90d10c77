"""Interval analysis of coordinates: the least and greatest value over ranges of names, as expressions.

Intervals widen monotonically: a narrower range of a name never gives a wider result. So the region found at the root
contains every region found further in, and checking inputs once against the root's region makes all reads safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from autosched.errors import CompileError
from autosched.lang.bounded import NARROW
from autosched.lang.func import Input
from autosched.lang.types import Type, i64
from autosched.lower.algebra import ONE, ZERO, add, const, floordiv, maximum, minimum, mul, sub
from autosched.lower.ir import Access, Binary, Cast, Const, Expr, Load, Name, Opaque, Select, Unary, names

Interval = tuple[Expr, Expr]
#: The least and the greatest value, None where that is not known.
Sides = tuple[Expr | None, Expr | None]
Ranges = Mapping[str, Interval]

_UNKNOWN: Final[Sides] = (None, None)


class Bounds:
    """Interval analysis for one pipeline: knows which inputs are tables, and the bounds of those."""

    def __init__(self, inputs: Mapping[str, Input], table_bounds: Mapping[str, Interval]) -> None:
        self.inputs = inputs
        self.table_bounds = table_bounds

    def interval(self, expr: Expr, ranges: Ranges) -> Interval:
        """The bounds of an integer `expr` as its names run over `ranges`; other names stay."""
        lo, hi = self.sides(expr, ranges)
        if lo is None or hi is None:
            raise CompileError(f"cannot bound {expr}; clamp it in the algorithm")
        return lo, hi

    def most(self, expr: Expr, ranges: Ranges) -> Expr:
        """An upper bound of `expr`, which need not have a lower one."""
        _, hi = self.sides(expr, ranges)
        if hi is None:
            raise CompileError(f"cannot bound {expr} above")
        return hi

    def sides(self, expr: Expr, ranges: Ranges) -> Sides:
        """The bounds, either of which may be unknown: min(x, 5) is at most 5, whatever x is."""
        if expr.elem == i64 and not (names(expr) & ranges.keys()) and _index_safe(expr, self):
            return expr, expr
        lo, hi = self._derived(expr, ranges)
        if expr.elem.is_bool or (expr.elem.is_int and expr.elem.bits <= NARROW):
            lo = const(int(expr.elem.min)) if lo is None else lo
            hi = const(int(expr.elem.max)) if hi is None else hi
        return ZERO if lo is None and expr.elem.kind == "u" else lo, hi

    def _derived(self, expr: Expr, ranges: Ranges) -> Sides:
        """The bounds that follow from those of the parts of `expr`."""
        match expr:
            case Name(name=name):
                wide = expr if expr.elem == i64 or not expr.elem.is_int else Cast(i64, expr)
                return ranges.get(name, (wide, wide))
            case Const():
                return const(int(expr.value)), const(int(expr.value))
            case Opaque(bounds=(least, greatest)):
                lo = None if least is None else self.sides(least, ranges)[0]
                return lo, None if greatest is None else self.sides(greatest, ranges)[1]
            case Access(source=source, index=index) if source in self.inputs:
                if self.inputs[source].monotone:
                    lo, hi = self.sides(index[0], ranges)
                    return _each(lambda i: self._read(expr, i), lo), _each(lambda i: self._read(expr, i), hi)
                return self.table_bounds.get(source, _UNKNOWN)
            case Cast(to=to, a=a, saturating=saturating) if a.elem.is_int and to.is_int:
                lo, hi = self.sides(a, ranges)
                if to.min <= a.elem.min and a.elem.max <= to.max:
                    return lo, hi
                if saturating:
                    clamp = partial(_clamped, least=const(int(to.min)), most=const(int(to.max)))
                    return _each(clamp, lo), _each(clamp, hi)
                return _fitting(lo, hi, to)
            case Select(a=a, b=b):
                (alo, ahi), (blo, bhi) = self.sides(a, ranges), self.sides(b, ranges)
                return _both(minimum, alo, blo), _both(maximum, ahi, bhi)
            case Unary(op="neg", a=a):
                lo, hi = self.sides(a, ranges)
                return _wide(_each(_negative, hi), _each(_negative, lo), expr.elem)
            case Unary(op="abs", a=a):
                lo, hi = self.sides(a, ranges)
                return _wide(ZERO, _both(maximum, hi, _each(_negative, lo)), expr.elem)
            case Binary(op=op, a=a, b=b):
                return self._binary(op, a, b, expr, ranges)
        return _UNKNOWN

    def _read(self, access: Access, index: Expr) -> Expr:
        read = Access(access.source, (index,), access.of)
        return read if access.of == i64 else Cast(i64, read)

    def _binary(self, op: str, a: Expr, b: Expr, expr: Expr, ranges: Ranges) -> Sides:
        n = int(b.value) if isinstance(b, Const) and b.elem.is_int else None
        (alo, ahi), (blo, bhi) = self.sides(a, ranges), self.sides(b, ranges)
        if op == "min":
            return _both(minimum, alo, blo), _either(minimum, ahi, bhi)
        if op == "max":
            return _either(maximum, alo, blo), _both(maximum, ahi, bhi)
        if op == "mod" and n is not None:
            return (ZERO, const(n - 1)) if n > 0 else (const(min(n + 1, 0)), ZERO)
        if op in ("mod", "floordiv") and n is None and expr.elem == i64:
            lo, hi = (blo, bhi) if op == "mod" else (alo, ahi)
            part = isinstance(expr, Binary) and expr.part
            return _UNKNOWN if lo is None or hi is None else self._by_variable(op, (lo, hi), part)
        if op == "and":
            masks = [int(e.value) for e in (a, b) if isinstance(e, Const) and e.value >= 0]
            return (ZERO, const(min(masks))) if masks else _UNKNOWN
        if op in ("floordiv", "shr") and n is not None and n >= 0:
            by = const(n if op == "floordiv" else 1 << (n & (expr.elem.bits - 1)))
            return _each(lambda e: floordiv(e, by), alo), _each(lambda e: floordiv(e, by), ahi)
        if op == "floordiv" and n is not None and expr.elem == i64:
            return _each(lambda e: floordiv(e, b), ahi), _each(lambda e: floordiv(e, b), alo)
        if op == "shl" and n is not None:
            return self._binary("mul", a, const(1 << (n & (expr.elem.bits - 1))), expr, ranges)
        if op == "add":
            return _wide(_both(add, alo, blo), _both(add, ahi, bhi), expr.elem)
        if op == "sub":
            return _wide(_both(sub, alo, bhi), _both(sub, ahi, blo), expr.elem)
        if op == "mul" and alo is not None and ahi is not None and blo is not None and bhi is not None:
            return _wide(*_product((alo, ahi), (blo, bhi)), expr.elem)
        return _UNKNOWN

    def _by_variable(self, op: str, bounds: Interval, part: bool) -> Interval:
        """The bounds of a remainder by something between `bounds`, or of a quotient of it; 0 where that is by 0."""
        lo, hi = bounds
        if part:
            return ZERO, sub(hi, ONE) if op == "mod" else hi
        if op == "mod":
            return minimum(add(lo, ONE), ZERO), maximum(sub(hi, ONE), ZERO)
        most = maximum(hi, sub(ZERO, lo))  # by 1 or by -1
        return sub(ZERO, most), most

    def nondecreasing(self, expr: Expr, name: str) -> bool:
        """Whether `expr` never gets smaller as `name` grows."""
        if isinstance(expr, Name):
            return True
        if name not in names(expr):
            return True
        match expr:
            case Binary(op="add" | "min" | "max", a=a, b=b):
                return self.nondecreasing(a, name) and self.nondecreasing(b, name)
            case Binary(op="sub", a=a, b=b):
                return self.nondecreasing(a, name) and name not in names(b)
            case Binary(op="mul" | "floordiv" | "shr" | "shl", a=a, b=Const(value=k)):
                return k >= 0 and self.nondecreasing(a, name)
            case Cast(to=to, a=a) if to.is_int and a.elem.is_int and to.min <= a.elem.min and a.elem.max <= to.max:
                return self.nondecreasing(a, name)
            case Access(source=source, index=index):
                table = self.inputs.get(source)
                return table is not None and table.monotone and self.nondecreasing(index[0], name)
        return False


def _each(change: Callable[[Expr], Expr], side: Expr | None) -> Expr | None:
    return None if side is None else change(side)


def _both(combine: Callable[[Expr, Expr], Expr], a: Expr | None, b: Expr | None) -> Expr | None:
    """What two sides make together, where both are known."""
    return None if a is None or b is None else combine(a, b)


def _either(pick: Callable[[Expr, Expr], Expr], a: Expr | None, b: Expr | None) -> Expr | None:
    """The better of two sides, or the one that is known."""
    return pick(a, b) if a is not None and b is not None else b if a is None else a


def _negative(e: Expr) -> Expr:
    return sub(ZERO, e)


def _clamped(e: Expr, least: Expr, most: Expr) -> Expr:
    return minimum(maximum(e, least), most)


def _product(a: Interval, b: Interval) -> Interval:
    for (lo, hi), (k, other) in ((a, b), (b, a)):
        if k == other and isinstance(k, Const):
            return (mul(lo, k), mul(hi, k)) if k.value >= 0 else (mul(hi, k), mul(lo, k))
    corners = [mul(x, y) for x in a for y in b]
    lo = hi = corners[0]
    for c in corners[1:]:
        lo, hi = minimum(lo, c), maximum(hi, c)
    return lo, hi


def _wide(lo: Expr | None, hi: Expr | None, of: Type) -> Sides:
    """The bounds of arithmetic, which wraps where it is of more than coordinates or does not fit its type."""
    if lo is None or hi is None:
        return _UNKNOWN
    return (lo, hi) if of == i64 else _fitting(lo, hi, of)


def _fitting(lo: Expr | None, hi: Expr | None, to: Type) -> Sides:
    """The bounds of what becomes a `to`, if they are known to be numbers of that type; unknown otherwise."""
    known = isinstance(lo, Const) and isinstance(hi, Const) and to.min <= lo.value and hi.value <= to.max
    return (lo, hi) if known else _UNKNOWN


def _index_safe(expr: Expr, bounds: Bounds) -> bool:
    """Whether `expr` may be evaluated outside the kernel: arithmetic of coordinates and reads of tables only."""
    match expr:
        case Access(source=source):
            table = bounds.inputs.get(source)
            if table is None or not (table.monotone or source in bounds.table_bounds):
                return False
        case Cast(to=to, a=a, saturating=saturating):
            exact = to.is_int and a.elem.is_int and to.min <= a.elem.min and a.elem.max <= to.max
            if not exact and not (saturating and to.is_int and a.elem.is_int):
                return False
        case Binary(op=op, a=a):
            compares = op in ("eq", "ne", "lt", "le") and a.elem.is_int
            if not compares and expr.elem != i64 and not (op in ("min", "max") and expr.elem.is_int):
                return False
        case Unary(op=op):
            if op != "neg" or expr.elem != i64:
                return False
        case Const() | Name():
            return expr.elem.is_int
        case Select() | Load():  # a Load: of what lanes have read, for the guard of their loop, which is in the kernel
            pass
        case _:
            return False
    return all(_index_safe(c, bounds) for c in expr.children)


def union(a: Interval | None, b: Interval) -> Interval:
    """The smallest interval around both."""
    return b if a is None else (minimum(a[0], b[0]), maximum(a[1], b[1]))
