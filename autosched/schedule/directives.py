"""The directives: what a schedule is made of. Each is a small frozen dataclass, registered by its name.

Loops are written outermost first, as numpy writes dimensions. To add a directive: a dataclass here, whose
fields say what they may be, and its row in DIRECTIVES; a method of its name in `Schedule`; its effect in apply.py
(or where its concept is lowered); where it makes no loop and no storage, its place in `show._NOTES`; a test.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields, replace
from functools import cache
from typing import Annotated, Any, ClassVar, Literal, get_args, get_type_hints

from autosched.errors import ScheduleError
from autosched.lang.expr import Param, RVar, Var
from autosched.lang.func import Func, Input
from autosched.schedule.arguments import Argument, LoopName, Name, Names, OneOf, PowerOfTwo, Whole

Tail = Literal["guard", "round_up", "shift_inwards"]
LoadStrategy = Literal["pick", "gather", "permute64", "permute128"]

#: Beyond this a factor is a mistake, and a generated kernel would be too large to compile.
_Factor = Annotated[int, Whole(1, 1 << 20)]
_Turns = Annotated[int, Whole(1, 64)]
_Tail = Annotated[Tail, OneOf(get_args(Tail))]


@dataclass(frozen=True)
class Directive:
    """Base of all directives; `op` is its name in JSON."""

    op: ClassVar[str] = ""

    def to_json(self) -> dict[str, Any]:
        """The directive as JSON data: its name and its fields."""
        out: dict[str, Any] = {"op": self.op}
        for f in fields(self):
            value = getattr(self, f.name)
            out[f.name] = list(value) if isinstance(value, tuple) else value
        return out

    def __str__(self) -> str:
        return f"{self.op}({', '.join(repr(getattr(self, f.name)) for f in fields(self))})"


@dataclass(frozen=True)
class Split(Directive):
    """Loop `var` becomes `outer` over blocks of `factor`, and `inner` within a block.

    The last block of an extent that `factor` does not divide is cut short (guard), computed whole beyond the extent
    (round_up, never for an output), or moved back so that it ends with the extent (shift_inwards).
    """

    op = "split"
    var: Name
    outer: LoopName
    inner: LoopName
    factor: _Factor
    tail: _Tail = "guard"


@dataclass(frozen=True)
class Tile(Directive):
    """Two splits and a reorder to outer_y, outer_x, inner_y, inner_x; `y` and `x` must be neighbours."""

    op = "tile"
    y: Name
    x: Name
    outer_y: LoopName
    outer_x: LoopName
    inner_y: LoopName
    inner_x: LoopName
    factor_y: _Factor
    factor_x: _Factor
    tail: _Tail = "guard"


@dataclass(frozen=True)
class Reorder(Directive):
    """The named loops take this order, outermost first, in the places that they occupy now."""

    op = "reorder"
    vars: Names


@dataclass(frozen=True)
class Fuse(Directive):
    """Neighbouring loops `outer` and `inner` become one loop `fused` over both."""

    op = "fuse"
    outer: LoopName
    inner: LoopName
    fused: LoopName


@dataclass(frozen=True)
class Parallel(Directive):
    """Iterations of `var`, the outermost loop, are dealt to threads."""

    op = "parallel"
    var: Name


@dataclass(frozen=True)
class Vectorize(Directive):
    """`var` runs in `lanes` lanes at once. Where it is longer, it is split first, with `tail`.

    On the innermost coordinate of an integer reduction, which has no tail: partial sums in lanes, or, within a
    vectorized loop, widening dot products of pairs, and from 4 lanes on of four bytes where the CPU has them.
    """

    op = "vectorize"
    var: Name
    lanes: Annotated[int, PowerOfTwo(2, 64)]
    tail: _Tail = "guard"


@dataclass(frozen=True)
class Unroll(Directive):
    """`var` is written out `factor` times.

    Innermost loops that are unrolled, and lanes among them, share the loops of a reduction: what is read for one of
    them serves all. A matrix product keeps 8 rows of 2 vectors in registers so:

    >>> from autosched.lang import Func, Input, Pipeline, RDom, f32, sum_over, variables
    >>> from autosched.schedule import Schedule
    >>> y, x = variables("y x")
    >>> a, b, product = Input("a", f32, 2), Input("b", f32, 2), Func("product")
    >>> r = RDom(k=a.extent(1))
    >>> product[y, x] = sum_over(r, a[y, r.k] * b[r.k, x])
    >>> blocks = Schedule().tile("product", "y", "x", "yo", "xo", "yi", "xi", 8, 32, "shift_inwards")
    >>> blocks = blocks.unroll("product", "yi", 8).split("product", "xi", "block", "lane", 16, "shift_inwards")
    >>> blocks = blocks.unroll("product", "block", 2).vectorize("product", "lane", 16)
    >>> print(blocks.show(Pipeline(product, "matmul")))
    pipeline matmul:
      produce product:
        for yo:
          for xo:
            vectorized lane x16 (shift_inwards):
              unrolled yi x8 (shift_inwards):
                unrolled block x2:
                  sum over k
                  product[y, x] = ...

    Lanes that a block's tail cuts short (guard) stay inside, and each block has loops of its own.
    """

    op = "unroll"
    var: Name
    factor: Annotated[int, Whole(1, 64, "unroll at most 64 times")]


@dataclass(frozen=True)
class Inline(Directive):
    """The Func is substituted into its consumers: the default of a Func without a reduction."""

    op = "inline"


@dataclass(frozen=True)
class ComputeRoot(Directive):
    """The Func is computed whole before its consumers: the default of a Func with a reduction."""

    op = "compute_root"


@dataclass(frozen=True)
class ComputeAt(Directive):
    """The Func is computed in each iteration of loop `var` of `func`, as much as that iteration needs."""

    op = "compute_at"
    func: Name
    var: Name


@dataclass(frozen=True)
class StoreRoot(Directive):
    """The Func's storage lives as long as the kernel runs.

    Where it is computed in a loop that is dealt to threads, each of them has one for every range of iterations that it
    takes, and does not compute again what earlier ones of the range computed (sliding window).
    """

    op = "store_root"


@dataclass(frozen=True)
class StoreAt(Directive):
    """The Func's storage lives through one iteration of loop `var` of `func`, which encloses where it is computed.

    What earlier iterations of the loops in between computed is not computed again (sliding window).
    """

    op = "store_at"
    func: Name
    var: Name


@dataclass(frozen=True)
class FoldStorage(Directive):
    """Coordinate `var` is stored modulo `factor` (0: as many elements as the sliding window has)."""

    op = "fold_storage"
    var: Name
    factor: Annotated[int, Whole(0, 1 << 20)] = 0


@dataclass(frozen=True)
class ReorderStorage(Directive):
    """The coordinates in the order they have in memory, outermost first."""

    op = "reorder_storage"
    vars: Names


@dataclass(frozen=True)
class AlignStorage(Directive):
    """The storage extent of coordinate `var` is rounded up to a multiple of `multiple` elements."""

    op = "align_storage"
    var: Name
    multiple: Annotated[int, Whole(1, 1 << 16)]


@dataclass(frozen=True)
class Specialize(Directive):
    """A kernel of its own, with the constant in place, for calls where integer Param `param` is `value`.

    It concerns the whole pipeline, whichever Func it is said of.
    """

    op = "specialize"
    param: Name
    value: Annotated[int, Whole()]

    def range_of(self, value: int) -> tuple[int, int] | None:
        """The least and the greatest value of the kernel for `value`, if there is one."""
        return (value, value) if value == self.value else None


@dataclass(frozen=True)
class SpecializeRanges(Directive):
    """Kernels of their own for calls where integer Param `param` is 1..width, width+1..2*width, and so on up to `most`.

    What comes to the same for all values of a range is a constant then: how many turns a loop takes that does `width`
    iterations a turn, which may be written out instead of counted. Calls for small outputs, which would never save what
    compiling takes, use the kernel for all values. It concerns the whole pipeline, whichever Func it is said of.
    """

    op = "specialize_ranges"
    param: Name
    width: Annotated[int, Whole(1, 64)]
    most: Annotated[int, Whole(1, 1 << 20)]

    def range_of(self, value: int) -> tuple[int, int] | None:
        """The least and the greatest value of the kernel for `value`, if there is one."""
        if not 1 <= value <= self.most:
            return None
        before = (value - 1) // self.width * self.width
        return before + 1, min(before + self.width, self.most)


@dataclass(frozen=True)
class Loads(Directive):
    """How vector lanes of this Func read `source` at scattered places.

    pick: a scalar load a lane; gather: the hardware's gather; permute64 and permute128: one byte permute of a window
    of so many bytes, where the indices grow along the lanes. CPUs that cannot do that permute what dot products take
    within blocks of 16 bytes, and pick other things. A call whose window is larger uses pick.
    """

    op = "loads"
    source: Name
    strategy: Annotated[LoadStrategy, OneOf(get_args(LoadStrategy))]


@dataclass(frozen=True)
class Stream(Directive):
    """Whole vectors that this Func stores go past the caches, where their address is a multiple of their bytes.

    For what is not read again soon and would push other things out of the caches. Whole lines are needed for it to pay:
    neighbouring elements stored one after the other, from a multiple of 64 bytes on.
    """

    op = "stream"


@dataclass(frozen=True)
class Prefetch(Directive):
    """When this Func reads a whole vector or window of `source`, prefetch the bytes `distance` ahead of it.

    They are brought into the second-level cache. For what is read in order and comes from memory.
    """

    op = "prefetch"
    source: Name
    distance: Annotated[int, Whole(64, 1 << 20)]


@dataclass(frozen=True)
class PrefetchNext(Directive):
    """In each iteration of `at`, prefetch what the same code will read of `source` `turns` iterations of `loop` later.

    Both are loops of this Func; `loop` is `at` or one around it. The lines are brought into the second-level cache
    while the iteration computes, so the nearer to the innermost loop `at` is, the more evenly memory is read. For an
    Input or a Func computed at the root.
    `lines` is how many cache lines are prefetched of what lies next to each other there, needed or not, which takes no
    loop; 0 is as many as are needed.
    """

    op = "prefetch_next"
    source: Name
    at: Name
    loop: Name
    turns: _Turns = 1
    lines: Annotated[int, Whole(0, 16)] = 0


@dataclass(frozen=True)
class PrefetchStores(Directive):
    """With each vector store, prefetch the address that the same store will write `turns` iterations of `loop` later.

    `loop` is one of this Func's own. A store through the caches to a line that they do not have waits for the line; it
    is brought into the second-level cache. Not together with `stream`.
    """

    op = "prefetch_stores"
    loop: Name
    turns: _Turns = 1


DIRECTIVES: dict[str, type[Directive]] = {
    cls.op: cls
    for cls in (
        Split, Tile, Reorder, Fuse, Parallel, Vectorize, Unroll, Inline, ComputeRoot, ComputeAt, StoreRoot, StoreAt,
        FoldStorage, ReorderStorage, AlignStorage, Specialize, SpecializeRanges, Loads, Stream, Prefetch,
        PrefetchNext, PrefetchStores,
    )
}  # fmt: skip


@cache
def _arguments(op: str) -> dict[str, Argument]:
    """What each argument of a directive may be."""
    cls = DIRECTIVES[op]
    hints = get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name].__metadata__[0] for f in fields(cls)}


def named(value: Any) -> Any:
    """The name of a Func, an Input, a Param or a coordinate, those in a tuple too; anything else as it is."""
    if isinstance(value, tuple):
        names = tuple(map(named, value))
        return value if all(a is b for a, b in zip(names, value, strict=True)) else names
    return value.name if isinstance(value, (Func, Input, Param, Var, RVar)) else value


def validate(directive: Directive, func: str) -> Directive:
    """Check the types and ranges of a directive's arguments; the error names directive, Func and argument.

    A Func, a Var and so on may stand for its name.
    """
    arguments = _arguments(directive.op)
    given = {name: getattr(directive, name) for name in arguments}
    changed = {name: plain for name, value in given.items() if (plain := named(value)) is not value}
    directive = replace(directive, **changed) if changed else directive
    for name, argument in arguments.items():
        problem = argument.problem(getattr(directive, name))
        if problem is not None:
            raise ScheduleError(f"{directive.op} of Func {func}: {name} {problem}")
    return directive


def from_json(data: Any, func: str) -> Directive:
    """The directive that `data` describes, checked."""
    if not isinstance(data, dict) or "op" not in data:
        raise ScheduleError(f"Func {func}: a directive must be an object with an 'op', not {data!r}")
    cls = DIRECTIVES.get(data["op"]) if isinstance(data["op"], str) else None
    if cls is None:
        raise ScheduleError(f"Func {func}: unknown directive {data['op']!r}; there are {', '.join(sorted(DIRECTIVES))}")
    known = {f.name for f in fields(cls)}
    given = {k: v for k, v in data.items() if k != "op"}
    if extra := sorted(set(given) - known):
        raise ScheduleError(
            f"{cls.op} of Func {func}: unknown argument {', '.join(extra)}; it takes {', '.join(sorted(known))}"
        )
    made = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    try:
        directive = cls(**made)
    except TypeError:
        optional = {f.name for f in fields(cls) if f.default is not MISSING}
        missing = ", ".join(sorted(known - set(given) - optional))
        raise ScheduleError(f"{cls.op} of Func {func}: missing argument {missing}") from None
    return validate(directive, func)
