"""All passes in order: from a pipeline and a schedule to stages ready to be printed, and the plan of a call."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autosched.lang.func import Pipeline
from autosched.lower.bounds import Interval
from autosched.lower.demands import PackedTable, Target, WindowRequirement
from autosched.lower.ir import Assign, Block, Expr, For, Let, Reserve, Store, expressions, names, statements
from autosched.lower.loopnest import LoopNestBuilder
from autosched.lower.names import Growth, end_name, extent_name, region_names
from autosched.lower.optimize import Optimizer
from autosched.lower.prefetch import prefetch_ahead, prefetch_stores
from autosched.lower.seeds import seed_sums
from autosched.lower.stages import Box, LoopNests, Stage, StoredFunc
from autosched.lower.stagger import stagger
from autosched.lower.table_reads import TableReads
from autosched.lower.vectorize import Vectorizer
from autosched.lower.verify import verify
from autosched.lower.windows import requirements, share_windows
from autosched.schedule.nest import resolve
from autosched.schedule.schedule import Schedule


@dataclass(frozen=True)
class Layout:
    """The variant of a kernel: constant byte strides per input or output and dimension, and the ranges of Params.

    A Param whose least and greatest value are the same is a constant.
    """

    strides: Mapping[str, Mapping[int, int]]
    params: Mapping[str, tuple[int, int]]
    target: Target = field(default_factory=Target)


@dataclass(frozen=True, kw_only=True)
class Lowered:
    """Everything the printer and the runtime need to know of one kernel; see `LoopNests`, whose stages are scalar."""

    pipeline: Pipeline
    schedule: Schedule
    layout: Layout
    stages: tuple[Stage, ...]  # producers first
    roots: tuple[StoredFunc, ...]
    required: dict[str, Box]
    wrapping: tuple[Expr, ...]
    statuses: tuple[str, ...]
    table_bounds: dict[str, Interval]
    windows: tuple[WindowRequirement, ...]
    packs: tuple[PackedTable, ...]
    domains: dict[str, list[Expr]]  # by table, the extents of reductions that read it packed
    growths: tuple[Growth, ...]


def lower(pipeline: Pipeline, schedule: Schedule, layout: Layout | None = None) -> Lowered:
    """Run all passes. Raises ScheduleError where the schedule is not legal."""
    layout = layout or Layout({}, {})
    nest = resolve(pipeline, schedule)
    builder = LoopNestBuilder(nest, {k: dict(v) for k, v in layout.strides.items()}, layout.params)
    nests = builder.build()
    checking = verifying()
    prefetches = {name: f.prefetches for name, f in nest.funcs.items()}
    ahead = {name: p.ahead for name, p in prefetches.items() if p.ahead}
    stores = {name: p.stores for name, p in prefetches.items() if p.stores}
    stages: list[Stage] = []
    windows: list[WindowRequirement] = []
    tables = TableReads()
    for stage in nests.stages:
        if checking:
            verify(stage.body, names_of_call(pipeline, nests, tables), vectorized=False)
        body = Vectorizer(stage.func, nests.storages, builder.bounds, layout.target, tables).block(stage.body)
        body = share_windows(body, layout.target.excluded)
        body = stagger(body) if layout.target.narrows else body
        body = prefetch_ahead(body, ahead)
        body = prefetch_stores(body, stores)
        windows += requirements(body)
        if checking:
            verify(body, names_of_call(pipeline, nests, tables), vectorized=True)
        body = Optimizer().run(seed_sums(body))
        if checking:
            verify(body, names_of_call(pipeline, nests, tables), vectorized=True)
        stages.append(replace(stage, body=body))
    return Lowered(
        pipeline=pipeline,
        schedule=schedule,
        layout=layout,
        stages=tuple(stages),
        roots=nests.roots,
        required=nests.required,
        wrapping=nests.wrapping,
        statuses=nests.statuses,
        table_bounds=nests.table_bounds,
        windows=tuple(dict.fromkeys(windows)),
        packs=tuple(tables.packed),
        domains=tables.domains,
        growths=tuple(tables.growths),
    )


def verifying() -> bool:
    """Whether AUTOSCHED_VERIFY asks for a check of every tree that a pass makes."""
    return bool(os.environ.get("AUTOSCHED_VERIFY"))


def names_of_call(pipeline: Pipeline, nests: LoopNests, tables: TableReads) -> frozenset[str]:
    """The names of all that a call has for its stages: params, where arrays and roots are, extents and strides."""
    output = pipeline.output
    ndims = {**{name: source.ndim for name, source in pipeline.inputs.items()}, output.name: output.ndim}
    known = {*pipeline.params, *map(end_name, pipeline.inputs)}
    known |= {extent_name(name, dim) for name, ndim in ndims.items() for dim in range(ndim)}
    known |= {side for root in nests.roots for arg in root.args for side in region_names(root.name, arg)}
    for storage in (*nests.storages.values(), *tables.storages.values()):
        if storage.root or not storage.owned:
            known |= {storage.buffer, *(name for stride in storage.strides for name in names(stride))}
    return frozenset(known)


def arguments(body: Block) -> frozenset[str]:
    """The names that a stage's body takes from outside, all scalars."""
    bound: set[str] = set()
    used: set[str] = set()
    for stmt in statements(body):
        if isinstance(stmt, (Let, Assign, For)):
            bound.add(stmt.name)
        if isinstance(stmt, Reserve):
            bound.add(stmt.buffer)
        if isinstance(stmt, Store):
            used.add(stmt.buffer)
        for e in expressions(stmt):
            used |= names(e)
    return frozenset(used - bound)
