"""Whether every index of a Func is bounded, so that a region to compute can be found for what it reads."""

from __future__ import annotations

from typing import TypeAlias

from autosched.errors import LanguageError
from autosched.lang.expr import Binary, Cast, Const, Expr, Extent, Param, Read, RVar, Select, Unary, Var, walk
from autosched.lang.func import Func, Input
from autosched.lang.types import Type

#: An integer type this narrow bounds its values by itself: a byte read from an image may index a table of 256.
NARROW = 16

_Constants: TypeAlias = tuple[int | None, int | None]


def check_bounded(func: Func) -> None:
    """Raise where a read of `func` has an index that cannot be bounded from both sides."""
    assert func.value is not None
    for node in walk(func.value):
        if not isinstance(node, Read):
            continue
        for dim, index in enumerate(node.index):
            lo, hi = bounded(index)
            if not (lo and hi):
                side = "below or above" if not (lo or hi) else "above" if lo else "below"
                raise LanguageError(
                    f"Func {func.name}: index {dim} of `{node}` cannot be bounded {side}; clamp it, or declare the "
                    f"bounds of the table that it comes from ({node.where})"
                )


def bounded(expr: Expr) -> tuple[bool, bool]:
    """Whether `expr` has a bound below and a bound above that lowering can find."""
    narrow = expr.type.is_bool or (expr.type.is_int and expr.type.bits <= NARROW)
    if narrow or isinstance(expr, (Const, Var, RVar, Param, Extent)):
        return True, True
    match expr:
        case Read(source=Input() as table):
            known = table.bounds is not None or table.monotone
            return known, known
        case Cast(to=to, a=a):
            if not a.type.is_int:
                return False, False
            if expr.saturating or (to.min <= a.type.min and a.type.max <= to.max):
                return bounded(a)
            lo, hi = _constants(a)
            fits = lo is not None and hi is not None and to.min <= lo and hi <= to.max
            return fits, fits
        case Select(a=a, b=b):
            (alo, ahi), (blo, bhi) = bounded(a), bounded(b)
            return alo and blo, ahi and bhi
        case Unary(op="neg" | "abs", a=a):
            known = all(bounded(a)) if expr.type.bits == 64 else _fits(expr)
            return known, known
        case Binary(op="add" | "sub" | "mul", a=a, b=b):
            # what has one bound may be anything on its other side, and wrap
            known = all((*bounded(a), *bounded(b))) if expr.type.bits == 64 else _fits(expr)
            return known, known
        case Binary(op=op, a=a, b=b):
            return _binary(op, a, b, expr.type.bits)
    return False, False


def _constants(expr: Expr) -> _Constants:
    """Bounds of an integer `expr` that are constants, where it has such."""
    of = expr.type
    known = (int(of.min), int(of.max)) if of.bits <= NARROW else (0 if of.kind == "u" else None, None)
    match expr:
        case Const(value=value):
            return int(value), int(value)
        case Binary(op="min" | "max" as op, a=a, b=b):
            (alo, ahi), (blo, bhi) = _constants(a), _constants(b)
            lows, highs = [v for v in (alo, blo) if v is not None], [v for v in (ahi, bhi) if v is not None]
            if op == "min":
                return min(lows) if len(lows) == 2 else None, min(highs, default=None)
            return max(lows, default=None), max(highs) if len(highs) == 2 else None
        case Binary(op="and", a=a, b=b):
            mask = min((int(e.value) for e in (a, b) if isinstance(e, Const) and e.value >= 0), default=None)
            return known if mask is None else (0, mask)
        case Binary(op="mod", b=Const(value=n)):
            return min(int(n) + 1, 0), max(int(n) - 1, 0)
        case Binary(op="add" | "sub" | "mul", a=a, b=b):
            return _arithmetic(expr.op, _constants(a), _constants(b), of) or known
        case Unary(op="neg" | "abs", a=a):
            return _arithmetic(expr.op, _constants(a), (0, 0), of) or known
        case Cast(to=to, a=a) if a.type.is_int and to.min <= a.type.min and a.type.max <= to.max:
            return _constants(a)
    return known


def _arithmetic(op: str, a: _Constants, b: _Constants, of: Type) -> tuple[int, int] | None:
    """The bounds of arithmetic, where those of its operands are known and it does not wrap."""
    ends = [(x, y) for x in a for y in b if x is not None and y is not None]
    if len(ends) < 4:
        return None
    made = [{"add": x + y, "sub": x - y, "mul": x * y, "neg": -x, "abs": abs(x)}[op] for x, y in ends]
    lo, hi = min(made), max(made)
    if op == "abs" and ends[0][0] < 0 < ends[-1][0]:
        lo = 0
    return (lo, hi) if of.min <= lo and hi <= of.max else None


def _binary(op: str, a: Expr, b: Expr, bits: int) -> tuple[bool, bool]:
    (alo, ahi), (blo, bhi) = bounded(a), bounded(b)
    if op == "min":
        return alo and blo, ahi or bhi
    if op == "max":
        return alo or blo, ahi and bhi
    if op == "mod" and isinstance(b, Const):
        return True, True
    if op == "and":
        mask = next((e.value for e in (a, b) if isinstance(e, Const) and e.value >= 0), None)
        return mask is not None, mask is not None
    if op in ("floordiv", "shr") and isinstance(b, Const) and b.value >= 0:
        return alo, ahi
    if op == "floordiv" and isinstance(b, Const) and bits == 64:
        return ahi, alo
    both = op == "shl" and isinstance(b, Const) and bits == 64 and alo and ahi
    return both, both


def _fits(expr: Expr) -> bool:
    """Whether arithmetic of less than 64 bits is known not to wrap."""
    return None not in _constants(expr)
