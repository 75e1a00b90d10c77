"""The tables of a kernel that are packed into groups, and the extents of the reductions that read them."""

from __future__ import annotations

from dataclasses import replace

from autosched.lang.types import i32
from autosched.lower.algebra import ZERO, const
from autosched.lower.demands import Pack
from autosched.lower.ir import Access, Expr, Name
from autosched.lower.stages import Storage


class Packs:
    """What all stages of a kernel have read so far of packed tables."""

    def __init__(self) -> None:
        self.found: list[Pack] = []
        #: Where packed tables are, by name.
        self.storages: dict[str, Storage] = {}
        #: By table, the extents of the reductions that read it; a pack says which of them by number.
        self.domains: dict[str, list[Expr]] = {}

    def read(self, pack: Pack, weight: Access, extent: Expr, at: Expr) -> Access:
        """Group number `at` of the table that `weight` reads, packed for a reduction over `extent` iterations."""
        domains = self.domains.setdefault(pack.source, [])
        if extent not in domains:
            domains.append(extent)
        pack = replace(pack, domain=domains.index(extent))
        if pack not in self.found:
            self.found.append(pack)
            last = len(weight.index) - 1
            strides = tuple(const(4) if d == last else Name(f"{pack.name}_s{d}") for d in range(last + 1))
            self.storages[pack.name] = Storage(pack.name, i32, strides, (ZERO,) * (last + 1), constant=True)
        return Access(pack.name, tuple(at if d == pack.dim else i for d, i in enumerate(weight.index)), i32)
