"""Loop IR: the small tree between a scheduled algorithm and Numba source.

Expressions have an element type and a number of lanes. Coordinates and addresses are scalars of type i64. Before
vectorization everything is a scalar and reads are Accesses at coordinates; after it, vectorized loops are gone and
reads are Loads at byte addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias

from autosched.lang import expr as lang
from autosched.lang.types import Type, b1, i32, i64

BinaryOp: TypeAlias = lang.BinaryOp | Literal["wrap"]
LanesOp: TypeAlias = Literal["add", "mul", "min", "max"]
LoadKind = Literal["scalar", "dense", "pick", "gather"]
#: How lanes read what is scattered: as a LoadKind, or by a Permute or Slice of a window of so many bytes. Where the
#: schedule has not said it, a window is read if one is known to be enough.
Strategy = Literal["unsaid", "pick", "gather", "permute64", "permute128"]


@dataclass(frozen=True)
class Expr:
    """Base of expressions; equal when their structure is."""

    @property
    def elem(self) -> Type:
        raise NotImplementedError

    @property
    def lanes(self) -> int:
        return 1

    @property
    def children(self) -> tuple[Expr, ...]:
        return ()

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        """The same node over other children."""
        return self


class Operation(Expr):  # not a dataclass: each kind has `a` at its place among its fields
    """What is computed lane by lane from `a`, the only operand unless a kind says otherwise: its type, its lanes."""

    a: Expr

    @property
    def elem(self) -> Type:
        return self.a.elem

    @property
    def lanes(self) -> int:
        return self.a.lanes

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.a,)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, a=children[0])  # type: ignore[call-arg]


@dataclass(frozen=True)
class Const(Expr):
    value: int | float | bool
    of: Type = i64

    @property
    def elem(self) -> Type:
        return self.of

    def __hash__(self) -> int:
        return hash((self.value, self.of))

    def __eq__(self, other: object) -> bool:
        # 0.0 and -0.0 are different constants, and so are 1, 1.0 and True
        return isinstance(other, Const) and self.of == other.of and repr(self.value) == repr(other.value)


@dataclass(frozen=True)
class Name(Expr):
    """A variable of the generated code: a loop's, a Let's, an accumulator, or an argument of the kernel.

    An i64 is a coordinate, or `data` where it is a value of the algorithm's, which can be anything but for what is
    known to be `within` (the least and the greatest).
    """

    name: str
    of: Type = i64
    width: int = 1
    data: bool = False
    within: tuple[int, int] | None = None

    @property
    def elem(self) -> Type:
        return self.of

    @property
    def lanes(self) -> int:
        return self.width


@dataclass(frozen=True)
class Binary(Operation):
    """An operation on two values of one type. `wrap` is the remainder of what is less than twice its divisor.

    `part` is said of the quotient and the remainder that are the parts of a fused loop: `a` is that loop and `b` the
    extent of one of its parts, so neither is negative, and where `b` is 0 nothing runs.
    """

    op: BinaryOp
    a: Expr
    b: Expr
    part: bool = False

    @property
    def elem(self) -> Type:
        return b1 if self.op in ("eq", "ne", "lt", "le") else self.a.elem

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.a, self.b)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        a, b = children
        return Binary(self.op, a, b, self.part)


@dataclass(frozen=True)
class Unary(Operation):
    """An operation on each lane."""

    op: lang.UnaryOp
    a: Expr


@dataclass(frozen=True)
class ReduceLanes(Operation):
    """All lanes as one number."""

    op: LanesOp
    a: Expr

    @property
    def lanes(self) -> int:
        return 1


@dataclass(frozen=True)
class FromFirstOfFour(Operation):
    """How far each lane is from the first of the four that it is among."""

    a: Expr


@dataclass(frozen=True)
class Cast(Operation):
    to: Type
    a: Expr
    saturating: bool = False
    staggered: bool = False  # from staggered lanes to their own order; see `lower.stagger`

    @property
    def elem(self) -> Type:
        return self.to


@dataclass(frozen=True)
class Reinterpret(Operation):
    """The bits of floats as integers of their width, or of integers as floats."""

    to: Type
    a: Expr

    @property
    def elem(self) -> Type:
        return self.to


@dataclass(frozen=True)
class Select(Operation):
    condition: Expr
    a: Expr
    b: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.condition, self.a, self.b)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Select(*children)


@dataclass(frozen=True)
class FusedMultiplyAdd(Operation):
    """a * b + c, rounded once."""

    a: Expr
    b: Expr
    c: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.a, self.b, self.c)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return FusedMultiplyAdd(*children)


@dataclass(frozen=True)
class Access(Expr):
    """The value of an Input or a Func at coordinates: what a Load is before storage is decided.

    `strategy` is how lanes read it where they are scattered.
    """

    source: str
    index: tuple[Expr, ...]
    of: Type
    strategy: Strategy = "pick"

    @property
    def elem(self) -> Type:
        return self.of

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.index

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Access(self.source, children, self.of, self.strategy)


@dataclass(frozen=True)
class Opaque(Expr):
    """A value of which bounds analysis knows the type, and the least and the greatest value where they are said.

    One of another number is another value.
    """

    of: Type
    number: int
    bounds: tuple[Expr | None, Expr | None] = (None, None)

    @property
    def elem(self) -> Type:
        return self.of

    @property
    def children(self) -> tuple[Expr, ...]:
        return tuple(side for side in self.bounds if side is not None)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        rest = iter(children)
        lo, hi = (None if side is None else next(rest) for side in self.bounds)
        return Opaque(self.of, self.number, (lo, hi))


@dataclass(frozen=True)
class Broadcast(Operation):
    a: Expr
    width: int

    @property
    def lanes(self) -> int:
        return self.width


@dataclass(frozen=True)
class Iota(Expr):
    """Lane numbers 0, 1, 2, ..."""

    width: int
    of: Type = i64

    @property
    def elem(self) -> Type:
        return self.of

    @property
    def lanes(self) -> int:
        return self.width


@dataclass(frozen=True)
class Load(Expr):
    """Memory of `buffer` at a byte address.

    dense: consecutive elements; pick, gather: `offsets` bytes a lane from `address`. With `count`, only so many lanes
    are read. `constant` memory is written by nobody while the kernel runs.
    """

    buffer: str
    address: Expr
    of: Type
    width: int = 1
    kind: LoadKind = "scalar"
    offsets: Expr | None = None
    count: Expr | None = None
    constant: bool = False

    @property
    def elem(self) -> Type:
        return self.of

    @property
    def lanes(self) -> int:
        return self.width

    @property
    def children(self) -> tuple[Expr, ...]:
        return tuple(e for e in (self.address, self.offsets, self.count) if e is not None)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        rest = list(children)
        return replace(
            self,
            address=rest.pop(0),
            offsets=rest.pop(0) if self.offsets is not None else None,
            count=rest.pop(0) if self.count is not None else None,
        )


@dataclass(frozen=True)
class Concat(Expr):
    """The lanes of all parts, one after the other."""

    parts: tuple[Expr, ...]

    @property
    def elem(self) -> Type:
        return self.parts[0].elem

    @property
    def lanes(self) -> int:
        return sum(p.lanes for p in self.parts)

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.parts

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return Concat(children)


@dataclass(frozen=True)
class PermuteWords(Expr):
    """A window of memory with its i32 words in another order: word i is the one at `places[i]`, modulo how many it has.

    It brings what every four lanes need into 16 bytes of theirs, for a Permute `per_four_lanes`. `extent` is how many
    bytes of the window are needed; see Permute.
    """

    window: Expr
    places: Expr
    extent: Expr

    @property
    def elem(self) -> Type:
        return self.window.elem

    @property
    def lanes(self) -> int:
        return self.window.lanes

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.window, self.places)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        window, places = children
        return replace(self, window=window, places=places)


@dataclass(frozen=True)
class Permute(Expr):
    """Bytes of a window of memory that is read whole: lane i has the element `offsets[i]` bytes behind its begin.

    With a `group`, each i32 lane holds so many bytes, `tap` bytes apart. With `per_four_lanes`, every four lanes have
    their own 16 bytes of the window, and offsets in them. `extent` is how many bytes of the window, or of those 16, are
    needed, in terms of the plan of a call, so it is not among the children, which kernels evaluate; `shared` says that
    it is more than this permute alone needs.
    """

    window: Expr
    offsets: Expr
    of: Type
    extent: Expr
    tap: Expr = Const(0)
    group: int = 1
    per_four_lanes: bool = False
    shared: bool = False

    @property
    def elem(self) -> Type:
        return self.of

    @property
    def lanes(self) -> int:
        return self.offsets.lanes

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.window, self.offsets, self.tap)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        window, offsets, tap = children
        return replace(self, window=window, offsets=offsets, tap=tap)


@dataclass(frozen=True)
class Slice(Expr):
    """Elements of a window of memory that is read whole: lane i has the one at byte `begin + i * stride`.

    It is to lanes that are equally far apart what a Permute is to others, which see for `extent` and `shared`. As what
    goes where is known when compiling, every CPU has instructions for it.
    """

    window: Expr
    begin: int
    stride: int
    of: Type
    width: int
    extent: Expr
    shared: bool = False

    @property
    def elem(self) -> Type:
        return self.of

    @property
    def lanes(self) -> int:
        return self.width

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.window,)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, window=children[0])


@dataclass(frozen=True)
class Group(Expr):
    """i32 lanes that hold two 16-bit integers each, or four bytes: lane i of every part; bytes maybe staggered."""

    parts: tuple[Expr, ...]
    staggered: bool = False

    @property
    def elem(self) -> Type:
        return i32

    @property
    def lanes(self) -> int:
        return self.parts[0].lanes

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.parts

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, parts=children)


@dataclass(frozen=True)
class Dot(Expr):
    """acc + the products of each lane's groups of `group` integers, in wrapping i32."""

    acc: Expr
    data: Expr
    weights: Expr
    group: int

    @property
    def elem(self) -> Type:
        return i32

    @property
    def lanes(self) -> int:
        return self.acc.lanes

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.acc, self.data, self.weights)

    def rebuilt(self, children: tuple[Expr, ...]) -> Expr:
        acc, data, weights = children
        return Dot(acc, data, weights, self.group)


# Statements


@dataclass(frozen=True)
class Stmt:
    """Base of statements."""


Block = tuple[Stmt, ...]


@dataclass(frozen=True)
class Let(Stmt):
    """A name for a value, to the end of its block or the next Let of it: copies of an unrolled loop each have theirs.

    No turn of a loop reads what an earlier one has left, as it may of an accumulator.
    """

    name: str
    value: Expr


@dataclass(frozen=True)
class Assign(Stmt):
    """A new value of an accumulator."""

    name: str
    value: Expr


@dataclass(frozen=True)
class For(Stmt):
    """`name` runs over lo, lo + step, ... below lo + extent.

    kind "vectorized": extent is at most `lanes`, and all iterations run at once; `ragged` where it is less at the end
    of every row, rather than for whole rows that are too short. kind "reduction": the body updates accumulators;
    `lanes` is how many iterations to combine.
    """

    name: str
    lo: Expr
    extent: Expr
    body: Block
    kind: Literal["serial", "vectorized", "reduction"] = "serial"
    lanes: int = 1
    step: int = 1
    ragged: bool = True


@dataclass(frozen=True)
class If(Stmt):
    condition: Expr
    then: Block
    otherwise: Block = ()


@dataclass(frozen=True)
class Put(Stmt):
    """The value of a Func at coordinates: what a Store is before storage is decided."""

    target: str
    index: tuple[Expr, ...]
    value: Expr


@dataclass(frozen=True)
class Store(Stmt):
    """Write `value` to memory of `buffer`; dense, or scattered at `offsets` bytes a lane; `count` lanes of it.

    A dense vector may go past the caches; `stream` is then how many elements there are from it on, or a number that
    differs from that by whole vectors.
    """

    buffer: str
    address: Expr
    value: Expr
    offsets: Expr | None = None
    count: Expr | None = None
    stream: Expr | None = None


@dataclass(frozen=True)
class Prefetch(Stmt):
    """Bytes from `address` on will be read or written soon."""

    address: Expr


@dataclass(frozen=True)
class Reserve(Stmt):
    """Scratch memory of at least `size` bytes for `buffer`, kept for the next time."""

    buffer: str
    size: Expr


@dataclass(frozen=True)
class Require(Stmt):
    """Leave the kernel with status `code` unless the condition holds."""

    condition: Expr
    code: int


@dataclass(frozen=True)
class Comment(Stmt):
    text: str


def _remembering(made: Callable[[Expr], int]) -> Callable[[Expr], int]:
    """A hash that is kept with an expression: it is made of those of all parts, and passes ask again and again."""

    def hash_of(expr: Expr) -> int:
        known: int | None = expr.__dict__.get("_hash")
        if known is None:
            known = made(expr)
            object.__setattr__(expr, "_hash", known)
        return known

    return hash_of


for _kind in (*Expr.__subclasses__(), *Operation.__subclasses__()):
    _kind.__hash__ = _remembering(_kind.__hash__)  # type: ignore[method-assign, assignment]


def walk(expr: Expr) -> Iterator[Expr]:
    """`expr` and all below it, parents first."""
    yield expr
    for child in expr.children:
        yield from walk(child)


def names(expr: Expr) -> frozenset[str]:
    """The names that `expr` is computed from; kept with it, because passes ask again and again."""
    known: frozenset[str] | None = expr.__dict__.get("_names")
    if known is None:
        own = frozenset((expr.name,)) if isinstance(expr, Name) else frozenset()
        known = own.union(*(names(child) for child in expr.children))
        object.__setattr__(expr, "_names", known)
    return known


def transform(expr: Expr, rule: Callable[[Expr], Expr | None]) -> Expr:
    """`expr` with every node for which `rule` gives another one replaced by it, from the top down."""
    new = rule(expr)
    if new is not None:
        return new
    if not expr.children:
        return expr
    children = tuple(transform(c, rule) for c in expr.children)
    return expr if all(a is b for a, b in zip(children, expr.children, strict=True)) else expr.rebuilt(children)


def expressions(stmt: Stmt) -> tuple[Expr, ...]:
    """The expressions that stand directly in a statement."""
    out: list[Expr] = []
    for f in fields(stmt):
        value = getattr(stmt, f.name)
        if isinstance(value, Expr):
            out.append(value)
        elif isinstance(value, tuple):
            out.extend(v for v in value if isinstance(v, Expr))
    return tuple(out)


def bodies(stmt: Stmt) -> tuple[Block, ...]:
    """The blocks inside a statement."""
    if isinstance(stmt, For):
        return (stmt.body,)
    if isinstance(stmt, If):
        return (stmt.then, stmt.otherwise)
    return ()


def map_bodies(stmt: Stmt, fn: Callable[[Block], Block]) -> Stmt:
    """The statement with `fn` applied to the blocks inside it."""
    if isinstance(stmt, For):
        return replace(stmt, body=fn(stmt.body))
    if isinstance(stmt, If):
        return replace(stmt, then=fn(stmt.then), otherwise=fn(stmt.otherwise))
    return stmt


def map_expressions(stmt: Stmt, fn: Callable[[Expr], Expr]) -> Stmt:
    """The statement with `fn` applied to the expressions directly in it."""
    changes: dict[str, Any] = {}
    for f in fields(stmt):
        value = getattr(stmt, f.name)
        if isinstance(value, Expr):
            changes[f.name] = fn(value)
        elif isinstance(value, tuple) and value and all(isinstance(v, Expr) for v in value):
            changes[f.name] = tuple(fn(v) for v in value)
    return replace(stmt, **changes) if changes else stmt


def statements(block: Block) -> Iterator[Stmt]:
    """Every statement of a block, at any depth."""
    for stmt in block:
        yield stmt
        for body in bodies(stmt):
            yield from statements(body)


def buffers(expr: Expr) -> frozenset[str]:
    """The buffers that `expr` reads."""
    return frozenset(x.buffer for x in walk(expr) if isinstance(x, Load))


def changes(block: Block) -> tuple[set[str], set[str]]:
    """What running `block` may change: the names that it gives values, and the buffers that it writes or moves."""
    inside = list(statements(block))
    given = {s.name for s in inside if isinstance(s, (Let, Assign, For))}
    moved = {s.buffer for s in inside if isinstance(s, Reserve)}
    return given | moved, moved | {s.buffer for s in inside if isinstance(s, Store)}
