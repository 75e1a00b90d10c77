"""Results of building loop nests: stages, and where arrays and Funcs are in memory."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from autosched.lang.types import Type
from autosched.lower import algebra
from autosched.lower.algebra import sub
from autosched.lower.bounds import Interval
from autosched.lower.ir import Binary, Block, Expr, Name

#: The coordinates of a Func that are computed or stored: an interval each.
Box = tuple[Interval, ...]

#: Bytes behind every buffer of the compiler's own, so that whole vectors may be read at its end.
SLACK = 512


@dataclass(frozen=True)
class CircularDim:
    """A coordinate that is stored modulo `length`.

    Where `base` is given, it is a multiple of the length from the origin on, and all that is read or written in an
    iteration is less than two lengths behind it: a comparison finds the place, and no division.
    """

    dim: int
    length: Expr
    base: Name | None = None

    def place(self, index: Expr, origin: Expr) -> Expr:
        """Where among `length` elements an index is."""
        if self.base is None:
            return algebra.mod(sub(index, origin), self.length)
        return Binary("wrap", sub(index, self.base), self.length)


@dataclass(frozen=True)
class Storage:
    """Where an array or a Func is in memory: address of element `origin`, byte strides, per coordinate."""

    buffer: str
    elem: Type
    strides: tuple[Expr, ...]
    origin: tuple[Expr, ...]
    _: KW_ONLY
    circular: CircularDim | None = None
    constant: bool = False  # written by nobody: an input, and in a stage what earlier ones have computed whole
    owned: bool = False  # memory of the compiler's own, with slack behind it
    root: bool = False  # written whole by a stage of its own
    stream: bool = False  # written past the caches

    def offsets(self, index: tuple[Expr, ...]) -> list[Expr]:
        """Elements from the origin, per coordinate."""
        out = [sub(i, o) for i, o in zip(index, self.origin, strict=True)]
        if self.circular:
            dim = self.circular.dim
            out[dim] = self.circular.place(index[dim], self.origin[dim])
        return out


@dataclass(frozen=True)
class StoredFunc:
    """A Func whose storage lives through the whole call, allocated by the runtime."""

    name: str
    elem: Type
    args: tuple[str, ...]
    box: Box
    extents: tuple[Expr, ...]  # with alignment, per coordinate
    storage: tuple[int, ...]  # coordinates, outermost first


@dataclass(frozen=True)
class Stage:
    """One pass over a Func computed at the root; `extent` iterations of its outermost loop `loop`.

    `reads` is the box of each input that one iteration reads, where that can be told before it runs.
    """

    func: str
    loop: str
    extent: Expr
    parallel: bool
    body: Block
    reads: dict[str, Box]


@dataclass(frozen=True, kw_only=True)
class LoopNests:
    """All stages, producers first, still scalar, and what the runtime has to prepare for them.

    `wrapping`: bounds of inner Funcs' regions, over the whole call, whose arithmetic might overflow. The plan evaluates
    them, and refuses the call if one does; per-iteration regions are then safe too.
    """

    stages: tuple[Stage, ...]
    roots: tuple[StoredFunc, ...]
    required: dict[str, Box]
    wrapping: tuple[Expr, ...]
    storages: dict[str, Storage]
    statuses: tuple[str, ...]
    table_bounds: dict[str, Interval]
