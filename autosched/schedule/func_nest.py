"""The nest of one Func: its loops, what it is computed and stored at, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from autosched.lang.expr import Reduce, RVar, walk
from autosched.lang.func import Func, RDom, sources
from autosched.schedule import directives as d

Kind = Literal["serial", "parallel", "vectorized", "unrolled"]


@dataclass(frozen=True)
class Level:
    """A loop of a Func, as a place; `func` is "" for the root."""

    func: str
    var: str

    def __str__(self) -> str:
        return f"{self.func}.{self.var}" if self.func else "root"


ROOT = Level("", "")


@dataclass(frozen=True)
class Loop:
    """One loop of a nest. `lanes` is the width of a vectorized one."""

    name: str
    kind: Kind = "serial"
    lanes: int = 1


@dataclass(frozen=True)
class ReductionLoop:
    """A loop of a reduction: its lanes, the turns that are written out, and its place where an order was chosen."""

    lanes: int = 1
    unroll: int = 1
    place: int | None = None


@dataclass(frozen=True)
class Prefetches:
    """Prefetches of a Func: of each source so many bytes `ahead`, and of what a `next` iteration reads or stores."""

    ahead: dict[str, int] = field(default_factory=dict)
    next: tuple[d.PrefetchNext, ...] = ()
    stores: d.PrefetchStores | None = None


@dataclass(frozen=True, kw_only=True)
class FuncNest:
    """A Func's loops, outermost first, how its coordinates come from them, and its levels."""

    func: Func
    inlined: bool = False
    loops: tuple[Loop, ...] = ()
    derivations: tuple[d.Split | d.Fuse, ...] = ()
    compute: Level = ROOT
    store: Level = ROOT
    storage: tuple[str, ...] = ()
    fold: d.FoldStorage | None = None
    aligns: tuple[d.AlignStorage, ...] = ()
    reductions: dict[RVar, ReductionLoop] = field(default_factory=dict)
    loads: dict[str, d.LoadStrategy] = field(default_factory=dict)
    prefetches: Prefetches = field(default_factory=Prefetches)
    stream: bool = False

    @classmethod
    def substituted(cls, func: Func) -> FuncNest:
        """The nest of an inlined Func, which has neither loops nor storage."""
        return cls(func=func, inlined=True)

    @property
    def name(self) -> str:
        return self.func.name

    def reduction(self, var: RVar) -> ReductionLoop:
        """The loop over a coordinate of a reduction."""
        return self.reductions.get(var, ReductionLoop())

    def ordered(self, domain: RDom) -> list[RVar]:
        """The coordinates of a reduction in the order of its loops, outermost first."""
        places = [self.reduction(var).place for var in domain]
        order = sorted(range(len(places)), key=lambda i: i if (place := places[i]) is None else place)
        return [domain.vars[i] for i in order]


def reductions(func: Func, inlined: set[str]) -> list[Reduce]:
    """The reductions of a definition, each once, those of inlined Funcs before its own."""
    assert func.value is not None
    found: list[Reduce] = []
    for source in sources(func):
        if isinstance(source, Func) and source.name in inlined:
            found += reductions(source, inlined)
    found += [node for node in walk(func.value) if isinstance(node, Reduce)]
    return list({id(node): node for node in found}.values())


def commutes(node: Reduce) -> bool:
    """Whether the order of a reduction's terms does not change its value."""
    return node.op in ("sum", "product", "min", "max") and node.type.is_int
