"""Interval analysis of coordinates: the least and greatest value over ranges of names, as expressions.

Intervals widen monotonically: a narrower range of a name never gives a wider result. So the region found at the root
contains every region found further in, and checking inputs once against the root's region makes all reads safe.
"""

from __future__ import annotations

from collections.abc import Mapping

from autosched.errors import CompileError
from autosched.lang.bounded import NARROW
from autosched.lang.func import Input
from autosched.lang.types import i64
from autosched.lower.algebra import ONE, ZERO, add, const, floordiv, maximum, minimum, mul, sub
from autosched.lower.ir import Access, Binary, Cast, Const, Expr, Name, Opaque, Select, Unary, names

Interval = tuple[Expr, Expr]
Ranges = Mapping[str, Interval]


class Bounds:
    """Interval analysis for one pipeline: knows which inputs are tables, and the bounds of those."""

    def __init__(self, inputs: Mapping[str, Input], table_bounds: Mapping[str, Interval]) -> None:
        self.inputs = inputs
        self.table_bounds = table_bounds

    def interval(self, expr: Expr, ranges: Ranges) -> Interval:
        """The bounds of an integer `expr` as its names run over `ranges`; other names stay."""
        if expr.elem == i64 and not (names(expr) & ranges.keys()) and _index_safe(expr, self):
            return expr, expr
        match expr:
            case Name(name=name):
                wide = expr if expr.elem == i64 or not expr.elem.is_int else Cast(i64, expr)
                return ranges.get(name, (wide, wide))
            case Const():
                return const(int(expr.value)), const(int(expr.value))
            case Access(source=source, index=index) if source in self.inputs:
                table = self.inputs[source]
                if table.monotone:
                    lo, hi = self.interval(index[0], ranges)
                    return self._read(expr, lo), self._read(expr, hi)
                if source in self.table_bounds:
                    return self.table_bounds[source]
            case Cast(to=to, a=a, saturating=saturating) if a.elem.is_int and to.is_int:
                fits = to.min <= a.elem.min and a.elem.max <= to.max
                if fits:
                    return self.interval(a, ranges)
                if saturating:
                    lo, hi = self.interval(a, ranges)
                    least, most = const(int(to.min)), const(int(to.max))
                    return minimum(maximum(lo, least), most), minimum(maximum(hi, least), most)
                low, high = self._maybe(a, ranges)
                if isinstance(low, Const) and isinstance(high, Const) and to.min <= low.value and high.value <= to.max:
                    return low, high
            case Select(a=a, b=b):
                (alo, ahi), (blo, bhi) = self.interval(a, ranges), self.interval(b, ranges)
                return minimum(alo, blo), maximum(ahi, bhi)
            case Unary(op="neg", a=a) if expr.elem == i64:
                lo, hi = self.interval(a, ranges)
                return sub(ZERO, hi), sub(ZERO, lo)
            case Binary(op=op, a=a, b=b):
                found = self._binary(op, a, b, expr, ranges)
                if found is not None:
                    return found
        if expr.elem.is_bool or (expr.elem.is_int and expr.elem.bits <= NARROW):
            return const(int(expr.elem.min)), const(int(expr.elem.max))
        raise CompileError(f"cannot bound {expr}; clamp it in the algorithm")

    def most(self, expr: Expr, ranges: Ranges) -> Expr:
        """An upper bound of `expr`, which need not have a lower one."""
        _, hi = self._maybe(expr, ranges)
        if hi is None:
            raise CompileError(f"cannot bound {expr} above")
        return hi

    def _read(self, access: Access, index: Expr) -> Expr:
        read = Access(access.source, (index,), access.of)
        return read if access.of == i64 else Cast(i64, read)

    def _binary(self, op: str, a: Expr, b: Expr, expr: Expr, ranges: Ranges) -> Interval | None:
        n = int(b.value) if isinstance(b, Const) and b.elem.is_int else None
        if op in ("min", "max"):
            alo, ahi = self._maybe(a, ranges)
            blo, bhi = self._maybe(b, ranges)
            pick = minimum if op == "min" else maximum
            lo = pick(alo, blo) if alo and blo else None
            hi = pick(ahi, bhi) if ahi and bhi else None
            # one side of a clamp may be unbounded: min(x, 5) is at most 5 whatever x is
            if op == "min":
                hi = hi or ahi or bhi
            else:
                lo = lo or alo or blo
            return (lo, hi) if lo is not None and hi is not None else None
        if op == "mod" and n is not None:
            if n > 0:
                return ZERO, const(n - 1)
            return const(min(n + 1, 0)), ZERO
        if op in ("mod", "floordiv") and n is None and expr.elem == i64:
            part = isinstance(expr, Binary) and expr.part
            return self._by_variable(op, self.interval(b if op == "mod" else a, ranges), part)
        if op == "and":
            masks = [int(e.value) for e in (a, b) if isinstance(e, Const) and e.value >= 0]
            if masks:
                return ZERO, const(min(masks))
        if op in ("floordiv", "shr") and n is not None and n >= 0:
            by = n if op == "floordiv" else 1 << (n & (expr.elem.bits - 1))
            if expr.elem.kind == "u" or expr.elem.bits == 64 or op == "shr" or by > 0:
                lo, hi = self.interval(a, ranges)
                return floordiv(lo, const(by)), floordiv(hi, const(by))
        if expr.elem != i64:
            return None
        if op == "floordiv" and n is not None:
            lo, hi = self.interval(a, ranges)
            return floordiv(hi, b), floordiv(lo, b)
        if op == "shl" and n is not None:
            return self._binary("mul", a, const(1 << (n & 63)), expr, ranges)
        if op not in ("add", "sub", "mul"):
            return None
        (alo, ahi), (blo, bhi) = self.interval(a, ranges), self.interval(b, ranges)
        if op == "add":
            return add(alo, blo), add(ahi, bhi)
        if op == "sub":
            return sub(alo, bhi), sub(ahi, blo)
        for lo, hi, other_lo, other_hi in ((alo, ahi, blo, bhi), (blo, bhi, alo, ahi)):
            if other_lo == other_hi and isinstance(other_lo, Const):
                k = int(other_lo.value)
                return (mul(lo, other_lo), mul(hi, other_lo)) if k >= 0 else (mul(hi, other_lo), mul(lo, other_lo))
        corners = [mul(x, y) for x in (alo, ahi) for y in (blo, bhi)]
        lo = hi = corners[0]
        for c in corners[1:]:
            lo, hi = minimum(lo, c), maximum(hi, c)
        return lo, hi

    def _by_variable(self, op: str, bounds: Interval, part: bool) -> Interval:
        """The bounds of a remainder by something between `bounds`, or of a quotient of it; 0 where that is by 0."""
        lo, hi = bounds
        if part:
            return ZERO, sub(hi, ONE) if op == "mod" else hi
        if op == "mod":
            return minimum(add(lo, ONE), ZERO), maximum(sub(hi, ONE), ZERO)
        most = maximum(hi, sub(ZERO, lo))  # by 1 or by -1
        return sub(ZERO, most), most

    def _maybe(self, expr: Expr, ranges: Ranges) -> tuple[Expr | None, Expr | None]:
        try:
            return self.interval(expr, ranges)
        except CompileError:
            pass
        if isinstance(expr, Binary) and expr.op in ("min", "max"):
            parts = [self._maybe(e, ranges) for e in (expr.a, expr.b)]
            known = [p[1 if expr.op == "min" else 0] for p in parts]
            best = next((k for k in known if k is not None), None)
            return (None, best) if expr.op == "min" else (best, None)
        return None, None

    def nondecreasing(self, expr: Expr, name: str, rising: frozenset[str] = frozenset()) -> bool:
        """Whether `expr` never gets smaller as `name` grows; names in `rising` are known to do so themselves."""
        if isinstance(expr, Name):
            return True
        if not (names(expr) & ({name} | rising)):
            return True
        match expr:
            case Binary(op="add" | "min" | "max", a=a, b=b):
                return self.nondecreasing(a, name, rising) and self.nondecreasing(b, name, rising)
            case Binary(op="sub", a=a, b=b):
                return self.nondecreasing(a, name, rising) and not (names(b) & ({name} | rising))
            case Binary(op="mul" | "floordiv" | "shr" | "shl", a=a, b=Const(value=k)):
                return k >= 0 and self.nondecreasing(a, name, rising)
            case Cast(to=to, a=a) if to.is_int and a.elem.is_int and to.min <= a.elem.min and a.elem.max <= to.max:
                return self.nondecreasing(a, name, rising)
            case Access(source=source, index=index):
                table = self.inputs.get(source)
                return table is not None and table.monotone and self.nondecreasing(index[0], name, rising)
        return False


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
        case Opaque():
            return False
    return all(_index_safe(c, bounds) for c in expr.children)


def union(a: Interval | None, b: Interval) -> Interval:
    """The smallest interval around both."""
    return b if a is None else (minimum(a[0], b[0]), maximum(a[1], b[1]))
