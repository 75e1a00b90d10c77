"""Reads of tables in lowered stages: of groups, for which they are packed, and of how much they grow."""

from __future__ import annotations

from dataclasses import replace

from autosched.lang.types import i32
from autosched.lower.algebra import ZERO, const
from autosched.lower.demands import PackedTable
from autosched.lower.ir import Access, Expr, Name
from autosched.lower.names import Growth, packed_stride_name
from autosched.lower.stages import Storage


class TableReads:
    """Collects what all stages of a kernel need of tables."""

    def __init__(self) -> None:
        self.packed: list[PackedTable] = []
        #: Where packed tables are, by name.
        self.storages: dict[str, Storage] = {}
        #: By table, the extents of the reductions that read it; a pack says which of them by number.
        self.domains: dict[str, list[Expr]] = {}
        self.growths: list[Growth] = []

    def growth(self, table: str, distance: int) -> Name:
        """The most that `table` grows over `distance` elements, which the runtime finds out."""
        growth = Growth(table, distance)
        if growth not in self.growths:
            self.growths.append(growth)
        return Name(growth.name)

    def read(self, pack: PackedTable, weight: Access, extent: Expr, at: Expr) -> Access:
        """Group number `at` of the table that `weight` reads, packed for a reduction over `extent` iterations."""
        domains = self.domains.setdefault(pack.source, [])
        if extent not in domains:
            domains.append(extent)
        pack = replace(pack, domain=domains.index(extent))
        if pack not in self.packed:
            self.packed.append(pack)
            last = len(weight.index) - 1
            strides = tuple(const(4) if d == last else Name(packed_stride_name(pack.name, d)) for d in range(last + 1))
            self.storages[pack.name] = Storage(pack.name, i32, strides, (ZERO,) * (last + 1), constant=True)
        return Access(pack.name, tuple(at if d == pack.dim else i for d, i in enumerate(weight.index)), i32)
