"""Expressions: typed, immutable trees that say what a value is.

Python's operators build them. Both sides must have one type; a Python number takes the type of the other side, and an
integer narrower than i64 is widened when the other side is i64 (the type of Vars and of indices). Integer arithmetic
wraps. `//` and `%` round towards minus infinity and give 0 for a zero divisor; shift amounts are taken modulo the
width; `min(a, b)` is b where b < a, else a; a cast from float to integer truncates and saturates, NaN becomes 0.
bf16 and f16 are types of results: f32 is cast to them last, and what has such a type is only read and selected.

A mistake does not raise where the expression is built, because the Func is not known there: it becomes a Fault, which
every expression around it turns into, and the Func's definition raises it with its own name and the user's line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Union

import numpy as np

from autosched.errors import LanguageError
from autosched.lang.checks import caller, check_argument, check_name, check_type
from autosched.lang.types import TYPES, Type, b1, f32, i64

if TYPE_CHECKING:
    from autosched.lang.func import Func, Input, RDom

BinaryOp: TypeAlias = Literal[
    "add", "sub", "mul", "div", "floordiv", "mod", "and", "or", "xor", "shl", "shr", "min", "max",
    "eq", "ne", "lt", "le",
]  # fmt: skip
UnaryOp: TypeAlias = Literal["neg", "not", "abs", "sqrt", "floor", "ceil", "round", "trunc"]


@dataclass(frozen=True, eq=False)
class Expr:
    """Base of all expressions. `type` is the type of its value, `where` the user's file:line."""

    where: str = field(default_factory=caller, kw_only=True, repr=False)

    #: numpy scalars on the left side leave operators to us, and so keep their type.
    __array_ufunc__ = None

    @property
    def type(self) -> Type:
        raise NotImplementedError

    @property
    def operands(self) -> tuple[Expr, ...]:
        """The expressions this one is computed from."""
        return ()

    def __bool__(self) -> bool:
        raise LanguageError(
            f"`{self}` is an expression and has no truth value while the algorithm is being written ({caller()}); "
            "use select(condition, a, b), and & | ~ between conditions"
        )

    __hash__ = object.__hash__

    def __add__(self, other: Operand) -> Expr:
        return binary("add", self, other)

    def __radd__(self, other: Operand) -> Expr:
        return binary("add", other, self)

    def __sub__(self, other: Operand) -> Expr:
        return binary("sub", self, other)

    def __rsub__(self, other: Operand) -> Expr:
        return binary("sub", other, self)

    def __mul__(self, other: Operand) -> Expr:
        return binary("mul", self, other)

    def __rmul__(self, other: Operand) -> Expr:
        return binary("mul", other, self)

    def __truediv__(self, other: Operand) -> Expr:
        return binary("div", self, other)

    def __rtruediv__(self, other: Operand) -> Expr:
        return binary("div", other, self)

    def __floordiv__(self, other: Operand) -> Expr:
        return binary("floordiv", self, other)

    def __rfloordiv__(self, other: Operand) -> Expr:
        return binary("floordiv", other, self)

    def __mod__(self, other: Operand) -> Expr:
        return binary("mod", self, other)

    def __rmod__(self, other: Operand) -> Expr:
        return binary("mod", other, self)

    def __and__(self, other: Operand) -> Expr:
        return binary("and", self, other)

    def __rand__(self, other: Operand) -> Expr:
        return binary("and", other, self)

    def __or__(self, other: Operand) -> Expr:
        return binary("or", self, other)

    def __ror__(self, other: Operand) -> Expr:
        return binary("or", other, self)

    def __xor__(self, other: Operand) -> Expr:
        return binary("xor", self, other)

    def __rxor__(self, other: Operand) -> Expr:
        return binary("xor", other, self)

    def __lshift__(self, other: Operand) -> Expr:
        return binary("shl", self, other)

    def __rlshift__(self, other: Operand) -> Expr:
        return binary("shl", other, self)

    def __rshift__(self, other: Operand) -> Expr:
        return binary("shr", self, other)

    def __rrshift__(self, other: Operand) -> Expr:
        return binary("shr", other, self)

    def __pow__(self, other: object) -> Expr:
        return _product(self, other)

    def __rpow__(self, other: Operand) -> Expr:
        return Fault(f"`{other} ** {self}` has an exponent that is not known; only integers 1 to {_GREATEST_POWER} are")

    def __lt__(self, other: Operand) -> Expr:
        return binary("lt", self, other)

    def __le__(self, other: Operand) -> Expr:
        return binary("le", self, other)

    def __gt__(self, other: Operand) -> Expr:
        return binary("lt", other, self)

    def __ge__(self, other: Operand) -> Expr:
        return binary("le", other, self)

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return binary("eq", self, other)  # type: ignore[arg-type]

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return binary("ne", self, other)  # type: ignore[arg-type]

    def __neg__(self) -> Expr:
        return unary("neg", self)

    def __invert__(self) -> Expr:
        return unary("not", self)

    def __abs__(self) -> Expr:
        return unary("abs", self)


Operand = Union[Expr, int, float, bool, np.generic]


@dataclass(frozen=True, eq=False)
class Fault(Expr):
    """A mistake in an expression, kept until the Func that it belongs to is known."""

    message: str

    @property
    def type(self) -> Type:
        raise LanguageError(f"{self.message} ({self.where})")

    def __str__(self) -> str:
        return "<mistake>"


@dataclass(frozen=True, eq=False)
class Const(Expr):
    """A literal of type `of`."""

    value: int | float | bool
    of: Type

    @property
    def type(self) -> Type:
        return self.of

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True, eq=False)
class Var(Expr):
    """A coordinate of a Func, an i64 in expressions."""

    name: str

    def __post_init__(self) -> None:
        check_name(self.name, "Var")

    @property
    def type(self) -> Type:
        return i64

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class RVar(Expr):
    """A coordinate of a reduction domain: lo, lo + 1, ..., lo + extent - 1."""

    name: str
    lo: Expr
    extent: Expr

    @property
    def type(self) -> Type:
        return i64

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Param(Expr):
    """A scalar given at run time. Integer Params may be used in indices and in domains of reductions."""

    name: str
    of: Type = i64

    def __post_init__(self) -> None:
        check_argument(self.name, "Param")
        check_type(self.of, f"Param {self.name}")
        if self.of.is_half:
            raise LanguageError(f"Param {self.name}: {self.of} is a type of results; give it as f32 ({caller()})")

    @property
    def type(self) -> Type:
        return self.of

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Extent(Expr):
    """The extent of dimension `dim` of an Input, an i64."""

    source: Input
    dim: int

    @property
    def type(self) -> Type:
        return i64

    def __str__(self) -> str:
        return f"{self.source.name}.extent({self.dim})"


@dataclass(frozen=True, eq=False)
class Binary(Expr):
    """`op` of two operands of one type; comparisons give b1."""

    op: BinaryOp
    a: Expr
    b: Expr

    @property
    def type(self) -> Type:
        return b1 if self.op in COMPARISONS else self.a.type

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.a, self.b)

    def __str__(self) -> str:
        symbol = SYMBOLS.get(self.op)
        return f"({self.a} {symbol} {self.b})" if symbol else f"{self.op}({self.a}, {self.b})"


@dataclass(frozen=True, eq=False)
class Unary(Expr):
    """`op` of one operand, of the operand's type."""

    op: UnaryOp
    a: Expr

    @property
    def type(self) -> Type:
        return self.a.type

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.a,)

    def __str__(self) -> str:
        return f"{self.op}({self.a})"


@dataclass(frozen=True, eq=False)
class Cast(Expr):
    """`a` converted to `to`: integers wrap, or saturate where `saturating`."""

    to: Type
    a: Expr
    saturating: bool = False

    @property
    def type(self) -> Type:
        return self.to

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.a,)

    def __str__(self) -> str:
        return f"{'saturating_cast' if self.saturating else 'cast'}({self.to}, {self.a})"


@dataclass(frozen=True, eq=False)
class Reinterpret(Expr):
    """The bits of `a`, a float or an integer, as the other of the two with the same width."""

    to: Type
    a: Expr

    @property
    def type(self) -> Type:
        return self.to

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.a,)

    def __str__(self) -> str:
        return f"reinterpret({self.to}, {self.a})"


@dataclass(frozen=True, eq=False)
class Select(Expr):
    """`a` where the condition holds, else `b`; both are defined everywhere."""

    condition: Expr
    a: Expr
    b: Expr

    @property
    def type(self) -> Type:
        return self.a.type

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.condition, self.a, self.b)

    def __str__(self) -> str:
        return f"select({self.condition}, {self.a}, {self.b})"


@dataclass(frozen=True, eq=False)
class FusedMultiplyAdd(Expr):
    """a * b + c in f32, rounded once."""

    a: Expr
    b: Expr
    c: Expr

    @property
    def type(self) -> Type:
        return self.a.type

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.a, self.b, self.c)

    def __str__(self) -> str:
        return f"fma({self.a}, {self.b}, {self.c})"


@dataclass(frozen=True, eq=False)
class Read(Expr):
    """The value of a Func or an Input at computed indices."""

    source: Func | Input
    index: tuple[Expr, ...]

    @property
    def type(self) -> Type:
        return self.source.type

    @property
    def operands(self) -> tuple[Expr, ...]:
        return self.index

    def __str__(self) -> str:
        return f"{self.source.name}[{', '.join(map(str, self.index))}]"


@dataclass(frozen=True, eq=False)
class Reduce(Expr):
    """`op` (sum, product, min, max, argmin, argmax) of `value` over a domain, in lexicographic order.

    As an expression it is the reduced value; the index parts of argmin and argmax are ArgIndex expressions.
    """

    op: str
    domain: RDom
    value: Expr

    @property
    def type(self) -> Type:
        return self.value.type

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.value,)

    def __str__(self) -> str:
        return f"{self.op}({self.domain}, {self.value})"


@dataclass(frozen=True, eq=False)
class SoFar(Expr):
    """What the fold over a domain has come to: the value that an update is made from."""

    domain: RDom
    of: Type

    @property
    def type(self) -> Type:
        return self.of

    def __str__(self) -> str:
        return "so_far"


@dataclass(frozen=True, eq=False)
class Fold(Reduce):
    """A reduction by any update: `value`, of `so_far` and the coordinates of the domain, beginning with `start`."""

    start: Expr
    so_far: SoFar

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.start, self.value)

    def __str__(self) -> str:
        return f"fold({self.domain}, {self.start}, {self.value})"


@dataclass(frozen=True, eq=False)
class ArgIndex(Expr):
    """Coordinate number `part` of where an argmin or argmax has its first best value, an i64."""

    reduction: Reduce
    part: int

    @property
    def type(self) -> Type:
        return i64

    @property
    def operands(self) -> tuple[Expr, ...]:
        return (self.reduction,)

    def __str__(self) -> str:
        return f"{self.reduction}.{self.reduction.domain.vars[self.part].name}"


SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%", "and": "&", "or": "|", "xor": "^",
    "shl": "<<", "shr": ">>", "eq": "==", "ne": "!=", "lt": "<", "le": "<=",
}  # fmt: skip
COMPARISONS = frozenset({"eq", "ne", "lt", "le"})
_BITWISE = frozenset({"and", "or", "xor"})
_INT_ONLY = frozenset({"floordiv", "mod", "shl", "shr"})
#: Up to this exponent `**` is written out as products.
_GREATEST_POWER = 16
_FLOAT_ONLY = frozenset({"sqrt", "floor", "ceil", "round", "trunc"})


def const(value: Any, to: Type) -> Expr:
    """The literal `value` as type `to`; a Fault where it cannot be represented."""
    if isinstance(value, np.generic):
        value = value.item()
    if to.is_half:
        single = const(value, f32)
        return single if isinstance(single, Fault) else Cast(to, single)
    if to.is_float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return Fault(f"{value!r} is not a number of type {to}")
        with np.errstate(over="ignore"):
            made = float(to.dtype.type(value))
        return Fault(f"{value} does not fit {to}") if np.isinf(made) and not np.isinf(value) else Const(made, to)
    if to.is_bool:
        return Const(value, to) if isinstance(value, bool) else Fault(f"{value!r} is not True or False")
    if isinstance(value, bool) or not isinstance(value, int):
        return Fault(f"{value!r} is not an integer; write cast({to}, ...) or a literal of type {to}")
    if not to.min <= value <= to.max:
        return Fault(f"{value} does not fit {to} ({to.min}..{to.max}); cast the other side to a wider type")
    return Const(value, to)


def as_expr(value: object, like: Type | None = None) -> Expr:
    """`value` as an expression; a Python number becomes `like`, or i64, f32 or b1 by its own kind."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, np.generic):
        known = next((t for t in TYPES.values() if t.dtype == value.dtype), None)
        return Fault(f"{value!r} has no type of the language") if known is None else const(value, known)
    if like is not None:
        return const(value, like)
    if isinstance(value, bool):
        return Const(value, b1)
    if isinstance(value, int):
        return const(value, i64)
    if isinstance(value, float):
        return const(value, TYPES["f32"])
    if isinstance(value, (tuple, list)):
        return Fault(
            f"a value of {len(value)} parts is no expression; give the Func one more coordinate c and the value "
            f"select(c == 0, first, second), with .bound(c, {len(value)}) where it is the output"
        )
    return Fault(f"{value!r} of type {type(value).__name__} cannot be part of an expression")


def first_fault(*exprs: Expr) -> Fault | None:
    """The first mistake among expressions."""
    return next((e for e in exprs if isinstance(e, Fault)), None)


def unify(a: Operand, b: Operand, describe: str) -> tuple[Expr, Expr] | Fault:
    """Both operands with one type, or the Fault that says why they have none."""
    if isinstance(a, Expr):
        left = a
        right = b if isinstance(b, Expr) or isinstance(a, Fault) else as_expr(b, a.type)
    elif isinstance(b, Expr):
        right = b
        left = b if isinstance(b, Fault) else as_expr(a, b.type)
    else:
        left, right = as_expr(a), as_expr(b)
    assert isinstance(left, Expr)
    right = as_expr(right)
    if (fault := first_fault(left, right)) is not None:
        return fault
    if left.type != right.type:
        if left.type == i64 and right.type.is_int and right.type.bits < 64:
            right = Cast(i64, right)
        elif right.type == i64 and left.type.is_int and left.type.bits < 64:
            left = Cast(i64, left)
        else:
            return Fault(
                f"type clash in {describe.format(a=left, b=right)}: {left.type} and {right.type}; "
                "cast one side, for example cast(i32, ...)"
            )
    return left, right


def _refusal(op: str, kind: Type) -> str | None:
    """Why `op` has no meaning for operands of type `kind`, if it has none."""
    if kind.is_half:
        return f"computes with {kind}, a type of results; compute in f32 and cast to {kind} last"
    if op == "div" and not kind.is_float:
        return f"divides {kind}; use // for integers, or cast to a float type"
    if op in _INT_ONLY and not kind.is_int:
        return f"needs integers, not {kind}"
    if op in _BITWISE and kind.is_float:
        return f"needs integers or conditions, not {kind}"
    if kind.is_bool and op not in _BITWISE and op not in COMPARISONS:
        return "has no meaning for conditions; use & | ^ ~ or select"
    return None


def binary(op: BinaryOp, a: Operand, b: Operand) -> Expr:
    """`op` of two operands."""
    symbol = SYMBOLS.get(op)
    pair = unify(a, b, f"`{{a}} {symbol} {{b}}`" if symbol else f"`{op}({{a}}, {{b}})`")
    if isinstance(pair, Fault):
        return pair
    left, right = pair
    kind = left.type
    why = _refusal(op, kind)
    if why is not None:
        return Fault(f"`{left} {symbol or op} {right}` {why}")
    return Binary(op, left, right)


def unary(op: UnaryOp, a: Operand) -> Expr:
    """`op` of one operand."""
    operand = as_expr(a)
    if isinstance(operand, Fault):
        return operand
    kind = operand.type
    if kind.is_half:
        return Fault(f"`{op}({operand})` {_refusal(op, kind)}")
    if op in _FLOAT_ONLY and not kind.is_float:
        return Fault(f"`{op}({operand})` needs a float, not {kind}")
    if op == "not" and kind.is_float:
        return Fault(f"`~{operand}` needs an integer or a condition, not {kind}")
    if op in ("neg", "abs") and kind.is_bool:
        return Fault(f"`{op}({operand})` has no meaning for a condition")
    return Unary(op, operand)


def _product(a: Expr, exponent: object) -> Expr:
    """`a ** exponent` as products, by squaring: x ** 5 is (x * x) * (x * x) * x."""
    if isinstance(exponent, np.integer):
        exponent = int(exponent)
    if isinstance(a, Fault):
        return a
    if isinstance(exponent, bool) or not isinstance(exponent, int) or not 1 <= exponent <= _GREATEST_POWER:
        return Fault(
            f"`{a} ** {exponent}`: the exponent must be an integer from 1 to {_GREATEST_POWER}, which becomes "
            "products; power(x, y) takes any f32"
        )
    made: Expr | None = None
    square = a
    while True:
        if exponent & 1:
            made = square if made is None else square * made
        exponent >>= 1
        if not exponent:
            return made if made is not None else a
        square = square * square


def walk(expr: Expr) -> Iterator[Expr]:
    """`expr` and everything it is computed from, parents first, each node once."""
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        stack.extend(reversed(node.operands))
