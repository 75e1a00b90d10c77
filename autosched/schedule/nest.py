"""What a schedule means for a pipeline: each Func's loops, and where it is computed and stored.

`resolve` is the one place that applies directives, and the one that says whether they are legal.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from autosched.errors import ScheduleError
from autosched.lang.expr import Reduce, walk
from autosched.lang.func import Func, Pipeline, sources
from autosched.schedule import directives as d
from autosched.schedule.schedule import Schedule

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
class FuncNest:
    """A Func's loops, outermost first, how its coordinates come from them, and its levels."""

    func: Func
    inlined: bool
    loops: tuple[Loop, ...]
    derivations: tuple[d.Split | d.Fuse, ...]
    compute: Level = ROOT
    store: Level = ROOT
    storage: tuple[str, ...] = ()
    folds: tuple[d.FoldStorage, ...] = ()
    aligns: tuple[d.AlignStorage, ...] = ()
    reduction_lanes: dict[str, int] = field(default_factory=dict)
    reduction_unroll: dict[str, int] = field(default_factory=dict)
    reduction_order: dict[str, int] = field(default_factory=dict)
    loads: dict[str, d.LoadStrategy] = field(default_factory=dict)
    prefetches: dict[str, int] = field(default_factory=dict)
    fetches: tuple[d.PrefetchNext, ...] = ()
    fetched_stores: d.PrefetchStores | None = None
    stream: bool = False

    @property
    def name(self) -> str:
        return self.func.name


@dataclass(frozen=True)
class Nest:
    """The resolved schedule, Funcs producers first."""

    pipeline: Pipeline
    funcs: dict[str, FuncNest]

    def consumers(self, name: str) -> list[str]:
        """The Funcs that are not inlined and read `name`, a Func or an Input, directly or through inlined ones."""
        found: list[str] = []

        def visit(producer: str) -> None:
            for other in self.pipeline.funcs:
                if any(s.name == producer for s in sources(other)):
                    if self.funcs[other.name].inlined:
                        visit(other.name)
                    elif other.name not in found:
                        found.append(other.name)

        visit(name)
        return found

    def path(self, name: str) -> list[Level]:
        """The loops of other Funcs around the computation of `name`, outermost first."""
        level = self.funcs[name].compute
        if level == ROOT:
            return []
        loops = [loop.name for loop in self.funcs[level.func].loops]
        inner = [Level(level.func, v) for v in loops[: loops.index(level.var) + 1]]
        return self.path(level.func) + inner

    def within(self, name: str, level: Level) -> bool:
        """Whether iterations of `level` compute `name`: it is the loop's own Func, or it is computed inside."""
        return name == level.func or level in self.path(name)


def resolve(pipeline: Pipeline, schedule: Schedule) -> Nest:
    """Apply `schedule` to `pipeline`, or raise ScheduleError naming the directive, the Func and the way out."""
    known = {f.name for f in pipeline.funcs}
    for name in schedule.funcs:
        if name not in known:
            raise ScheduleError(
                f"the schedule names Func {name}, which pipeline {pipeline.name} does not have; "
                f"it has {', '.join(sorted(known))}"
            )
    nests: dict[str, FuncNest] = {}
    for func in pipeline.funcs:
        inlined = {name for name, nest in nests.items() if nest.inlined}
        nests[func.name] = _func_nest(pipeline, func, schedule.funcs.get(func.name, ()), inlined)
    nest = Nest(pipeline, nests)
    placed = [f for f in nests.values() if not f.inlined]
    # paths go through the places of others
    for check in (_check_places, _check_acyclic, _check_levels, _check_fetches):
        for f in placed:
            check(nest, f)
    return nest


class _Builder:
    """The loops of one Func while its directives are applied."""

    def __init__(self, pipeline: Pipeline, func: Func, inlined: set[str]) -> None:
        self.pipeline = pipeline
        self.func = func
        self.loops = [Loop(a.name) for a in func.args]
        self.derivations: list[d.Split | d.Fuse] = []
        self.used = {a.name for a in func.args}
        assert func.value is not None
        #: Coordinates of reductions, those of inlined Funcs included.
        self.rvars = reductions(func, inlined)
        self.used |= set(self.rvars)

    def fail(self, directive: d.Directive, why: str) -> ScheduleError:
        return ScheduleError(f"{directive} of Func {self.func.name}: {why}")

    def position(self, directive: d.Directive, name: str) -> int:
        for i, loop in enumerate(self.loops):
            if loop.name == name:
                return i
        if name in self.rvars:
            takers = "only vectorize, unroll and a reorder of their own take those"
            raise self.fail(directive, f"{name} is a coordinate of a reduction; {takers}")
        raise self.fail(directive, f"there is no loop {name}; the loops are {', '.join(x.name for x in self.loops)}")

    def fresh(self, directive: d.Directive, *names: str) -> None:
        for name in names:
            if name in self.used or names.count(name) > 1:
                raise self.fail(directive, f"the name {name} is used already; choose another")
            self.used.add(name)

    def serial(self, directive: d.Directive, i: int) -> None:
        if self.loops[i].kind != "serial":
            raise self.fail(
                directive, f"loop {self.loops[i].name} is {self.loops[i].kind} already; do this before that"
            )

    def split(self, s: d.Split) -> None:
        i = self.position(s, s.var)
        self.serial(s, i)
        if s.outer != s.var and s.inner != s.var:
            self.fresh(s, s.outer, s.inner)
        else:
            raise self.fail(s, "outer and inner need names of their own")
        if s.tail == "round_up" and self.func is self.pipeline.output:
            raise self.fail(s, "an output cannot be computed beyond its extent; use tail guard or shift_inwards")
        if s.tail == "round_up" and not self.rounds(s):
            raise self.fail(s, f"{s.var} is a part of a coordinate, and only whole ones round up; use tail guard")
        self.loops[i : i + 1] = [Loop(s.outer), Loop(s.inner)]
        self.derivations.append(s)

    def rounds(self, s: d.Split) -> bool:
        """Whether rounding up stays within what the Func's box is rounded to."""
        if s.var in {a.name for a in self.func.args}:
            return True
        whole = (x for x in self.derivations if isinstance(x, d.Split) and x.tail == "round_up" and x.inner == s.var)
        return any(x.factor % s.factor == 0 for x in whole)

    def reorder(self, r: d.Reorder) -> None:
        places = sorted(self.position(r, name) for name in r.vars)
        chosen = [self.loops[self.position(r, name)] for name in r.vars]
        for place, loop in zip(places, chosen, strict=True):
            self.loops[place] = loop

    def fuse(self, f: d.Fuse) -> None:
        i, j = self.position(f, f.outer), self.position(f, f.inner)
        self.serial(f, i)
        self.serial(f, j)
        if j != i + 1:
            raise self.fail(f, f"{f.inner} must be the loop just inside {f.outer}; reorder first")
        origin_a, origin_b = self.origins(f.outer), self.origins(f.inner)
        if origin_a & origin_b:
            raise self.fail(f, f"{f.outer} and {f.inner} are parts of one coordinate; do not split it instead")
        self.fresh(f, f.fused)
        self.loops[i : j + 1] = [Loop(f.fused)]
        self.derivations.append(f)

    def origins(self, name: str) -> set[str]:
        """The coordinates that loop `name` comes from."""
        for x in reversed(self.derivations):
            if isinstance(x, d.Split) and name in (x.outer, x.inner):
                return self.origins(x.var)
            if isinstance(x, d.Fuse) and name == x.fused:
                return self.origins(x.outer) | self.origins(x.inner)
        return {name}

    def mark(self, directive: d.Directive, var: str, kind: Kind, size: int, tail: d.Tail) -> None:
        """Make `var` a vectorized or unrolled loop of `size`, split first where it may be longer."""
        i = self.position(directive, var)
        self.serial(directive, i)
        if not self.is_block(var, size):
            outer, inner = (
                f"{var}_{'v' if kind == 'vectorized' else 'u'}o",
                f"{var}_{'v' if kind == 'vectorized' else 'u'}i",
            )
            try:
                self.split(d.Split(var, outer, inner, size, tail))
            except ScheduleError as error:
                raise self.fail(directive, str(error)) from None
            i += 1
        self.loops[i] = Loop(self.loops[i].name, kind, size)

    def is_block(self, var: str, size: int) -> bool:
        """Whether loop `var` is the inner part of a split by exactly `size`."""
        return any(isinstance(x, d.Split) and x.inner == var and x.factor == size for x in self.derivations)


def reductions(func: Func, inlined: set[str]) -> dict[str, Reduce]:
    """The reductions of a definition by the names of their coordinates; its own hide those of inlined Funcs."""
    assert func.value is not None
    found: dict[str, Reduce] = {}
    for source in sources(func):
        if isinstance(source, Func) and source.name in inlined:
            found.update(reductions(source, inlined))
    found.update({v.name: node for node in walk(func.value) if isinstance(node, Reduce) for v in node.domain})
    return found


def _func_nest(
    pipeline: Pipeline,
    func: Func,
    directives: tuple[d.Directive, ...],
    inlined: set[str],
) -> FuncNest:
    b = _Builder(pipeline, func, inlined)
    compute: d.Directive | None = None
    store: d.Directive | None = None
    result = FuncNest(func, False, (), (), storage=tuple(a.name for a in func.args))
    shaping = False
    for x in directives:
        shaping = shaping or not isinstance(x, (d.Inline, d.Specialize, d.SpecializeRanges))
        match x:
            case d.Split():
                b.split(x)
            case d.Tile():
                if b.position(x, x.x) != b.position(x, x.y) + 1:
                    raise b.fail(x, f"{x.x} must be the loop just inside {x.y}; reorder first")
                b.split(d.Split(x.y, x.outer_y, x.inner_y, x.factor_y, x.tail))
                b.split(d.Split(x.x, x.outer_x, x.inner_x, x.factor_x, x.tail))
                b.reorder(d.Reorder((x.outer_y, x.outer_x, x.inner_y, x.inner_x)))
            case d.Reorder():
                rvars = [v for v in x.vars if v in b.rvars]
                if rvars and len(rvars) == len(x.vars):
                    result = replace(result, reduction_order=_reduction_order(b, x))
                else:
                    b.reorder(x)
            case d.Fuse():
                b.fuse(x)
            case d.Parallel():
                i = b.position(x, x.var)
                b.serial(x, i)
                b.loops[i] = Loop(x.var, "parallel")
            case d.Vectorize() if x.var in b.rvars:
                _check_reduction(b, x, b.rvars[x.var])
                result = replace(result, reduction_lanes={**result.reduction_lanes, x.var: x.lanes})
            case d.Unroll() if x.var in b.rvars:
                result = replace(result, reduction_unroll={**result.reduction_unroll, x.var: x.factor})
            case d.Vectorize():
                if any(loop.kind == "vectorized" for loop in b.loops):
                    raise b.fail(x, "one loop is vectorized already; unroll this one")
                b.mark(x, x.var, "vectorized", x.lanes, x.tail)
            case d.Unroll():
                b.mark(x, x.var, "unrolled", x.factor, "guard")
            case d.Inline() | d.ComputeRoot() | d.ComputeAt():
                if compute is not None and compute != x:
                    raise b.fail(x, f"it has {compute} already")
                compute = x
            case d.StoreRoot() | d.StoreAt():
                if store is not None and store != x:
                    raise b.fail(x, f"it has {store} already")
                store = x
            case d.FoldStorage():
                _coordinate(b, x, x.var)
                result = replace(result, folds=(*result.folds, x))
            case d.AlignStorage():
                _coordinate(b, x, x.var)
                result = replace(result, aligns=(*result.aligns, x))
            case d.ReorderStorage():
                if sorted(x.vars) != sorted(a.name for a in func.args):
                    raise b.fail(x, f"it must name all of {', '.join(a.name for a in func.args)}, each once")
                result = replace(result, storage=x.vars)
            case d.Specialize() | d.SpecializeRanges():
                if x.param not in pipeline.params or not pipeline.params[x.param].of.is_int:
                    raise b.fail(x, f"pipeline {pipeline.name} has no integer Param {x.param}")
            case d.Loads() | d.Prefetch() | d.PrefetchNext():
                if x.source not in pipeline.inputs and x.source not in {f.name for f in pipeline.funcs}:
                    raise b.fail(x, f"pipeline {pipeline.name} has no Input or Func {x.source}")
                if isinstance(x, d.Loads):
                    result = replace(result, loads={**result.loads, x.source: x.strategy})
                elif isinstance(x, d.Prefetch):
                    result = replace(result, prefetches={**result.prefetches, x.source: x.distance})
                else:
                    result = replace(result, fetches=(*result.fetches, x))
            case d.PrefetchStores():
                result = replace(result, fetched_stores=x)
            case d.Stream():
                result = replace(result, stream=True)
    _check_kinds(b)
    for fetch in result.fetches:
        _check_loops(b, fetch)
    if result.fetched_stores:
        _check_turns(b, result.fetched_stores, result.fetched_stores.loop)
        if result.stream:
            raise b.fail(result.fetched_stores, "what goes past the caches needs no lines there; remove it, or stream")
    is_output = func is pipeline.output
    if is_output and isinstance(compute, (d.Inline, d.ComputeAt)):
        raise b.fail(compute, "the output is always computed at the root")
    if is_output and (
        store is not None or result.folds or result.aligns or result.storage != tuple(a.name for a in func.args)
    ):
        raise ScheduleError(
            f"Func {func.name} is the output: its storage is the caller's array, so it cannot be scheduled"
        )
    default = d.ComputeRoot() if func.reduces or is_output else d.Inline()
    if compute is None and shaping and not is_output:
        compute = d.ComputeRoot()
    compute = compute or default
    if isinstance(compute, d.Inline):
        if shaping and any(not isinstance(x, (d.Inline, d.Specialize, d.SpecializeRanges)) for x in directives):
            raise b.fail(compute, "an inlined Func has no loops and no storage; remove its other directives")
        return replace(result, inlined=True)
    level = Level(compute.func, compute.var) if isinstance(compute, d.ComputeAt) else ROOT
    where = level if store is None else Level(store.func, store.var) if isinstance(store, d.StoreAt) else ROOT
    return replace(result, loops=tuple(b.loops), derivations=tuple(b.derivations), compute=level, store=where)


def _coordinate(b: _Builder, x: d.Directive, var: str) -> None:
    if var not in {a.name for a in b.func.args}:
        raise b.fail(x, f"{var} is not a coordinate; those are {', '.join(a.name for a in b.func.args)}")


def _check_reduction(b: _Builder, x: d.Vectorize, node: Reduce) -> None:
    if node.op not in ("sum", "product", "min", "max") or not node.type.is_int:
        raise b.fail(x, f"the order of a {node.op} of {node.type} is part of its value; only integer sums, products, "
                     "minima and maxima can be vectorized")  # fmt: skip
    if node.domain.vars[-1].name != x.var and not commutes(node):
        raise b.fail(x, "only the last coordinate of a reduction can be vectorized")


def commutes(node: Reduce) -> bool:
    """Whether the order of a reduction's terms does not change its value."""
    return node.op in ("sum", "product", "min", "max") and node.type.is_int


def _reduction_order(b: _Builder, x: d.Reorder) -> dict[str, int]:
    nodes = {id(b.rvars[v]): b.rvars[v] for v in x.vars}
    if len(nodes) > 1:
        raise b.fail(x, "these coordinates belong to different reductions")
    node = next(iter(nodes.values()))
    if not commutes(node):
        raise b.fail(x, f"the order of a {node.op} of {node.type} is part of its value")
    if len(x.vars) != len(node.domain.vars):
        raise b.fail(x, f"name all of {', '.join(v.name for v in node.domain)}")
    return {v: i for i, v in enumerate(x.vars)}


def _check_kinds(b: _Builder) -> None:
    for i, loop in enumerate(b.loops):
        if loop.kind == "parallel" and i > 0:
            raise ScheduleError(
                f"parallel({loop.name!r}) of Func {b.func.name}: it must be the outermost loop; "
                f"reorder it before {b.loops[0].name}, or fuse the two"
            )


def _check_loops(b: _Builder, x: d.PrefetchNext) -> None:
    """The loops are there, one in the other, and their iterations follow each other."""
    if b.position(x, x.loop) > b.position(x, x.at):
        raise b.fail(x, f"loop {x.loop} is inside {x.at}; name one around it, or {x.at} itself")
    for name in (x.at, x.loop):
        _check_turns(b, x, name)


def _check_turns(b: _Builder, x: d.Directive, name: str) -> None:
    """The loop is there, and its iterations follow each other."""
    loop = b.loops[b.position(x, name)]
    if loop.kind in ("vectorized", "unrolled"):
        raise b.fail(x, f"loop {loop.name} is {loop.kind}; choose one whose iterations follow each other")


def _check_places(nest: Nest, f: FuncNest) -> None:
    """The loops that a Func is computed and stored at exist."""
    name = f.name
    for level, what in ((f.compute, "compute_at"), (f.store, "store_at")):
        if level == ROOT:
            continue
        target = nest.funcs.get(level.func)
        if target is None:
            raise ScheduleError(f"{what}({level.func!r}, {level.var!r}) of Func {name}: there is no Func {level.func}")
        if target.inlined:
            raise ScheduleError(
                f"{what}({level.func!r}, {level.var!r}) of Func {name}: {level.func} is inlined and has no loops; "
                "name the Func that it is inlined into, or compute it somewhere"
            )
        loops = [loop.name for loop in target.loops]
        if level.var not in loops:
            raise ScheduleError(
                f"{what}({level.func!r}, {level.var!r}) of Func {name}: {level.func} has no loop {level.var}; "
                f"its loops are {', '.join(loops)}"
            )
        inside = target.loops[: loops.index(level.var) + 1]
        bad = next((x for x in inside if x.kind in ("vectorized", "unrolled")), None)
        if bad is not None:
            raise ScheduleError(
                f"{what}({level.func!r}, {level.var!r}) of Func {name}: loop {bad.name} is {bad.kind}; "
                "choose a loop outside it"
            )
    if f.compute.func == name:
        raise ScheduleError(f"compute_at of Func {name}: it cannot be computed inside itself")


def _check_levels(nest: Nest, f: FuncNest) -> None:
    """They enclose what they must."""
    name = f.name
    if f.compute != ROOT and any(loop.kind == "parallel" for loop in f.loops):
        raise ScheduleError(
            f"parallel of Func {name}: it is computed at {f.compute}; "
            "only a Func computed at the root has parallel loops"
        )
    path = nest.path(name)
    for consumer in nest.consumers(name):
        around = [*nest.path(consumer), *(Level(consumer, loop.name) for loop in nest.funcs[consumer].loops)]
        if f.compute != ROOT and f.compute not in around:
            raise ScheduleError(
                f"compute_at({f.compute.func!r}, {f.compute.var!r}) of Func {name}: {consumer} reads {name} "
                f"outside that loop; "
                f"choose a loop that encloses all of its consumers ({', '.join(nest.consumers(name))})"
            )
    if f.store not in (f.compute, ROOT, *path):
        raise ScheduleError(
            f"store_at({f.store.func!r}, {f.store.var!r}) of Func {name}: it must enclose "
            f"where {name} is computed ({f.compute})"
        )
    if f.folds and f.store == f.compute:
        raise ScheduleError(
            f"{f.folds[0]} of Func {name}: it is stored where it is computed, so there is nothing to fold; "
            "store it at a loop further out"
        )
    if len(f.folds) > 1:
        raise ScheduleError(f"{f.folds[1]} of Func {name}: one coordinate can be folded, {f.folds[0].var} is already")


def _check_fetches(nest: Nest, f: FuncNest) -> None:
    """What is fetched is in memory before the Func's loops begin, and is read in them."""
    for x in f.fetches:
        place = f"{x} of Func {f.name}"
        source = nest.funcs.get(x.source)
        if source is not None and (source.inlined or source.compute != ROOT):
            raise ScheduleError(f"{place}: {x.source} is not in memory before; only Inputs and Funcs at the root are")
        if not any(nest.within(name, Level(f.name, x.loop)) for name in nest.consumers(x.source)):
            raise ScheduleError(f"{place}: nothing that is computed in loop {x.loop} reads {x.source}")


def _check_acyclic(nest: Nest, f: FuncNest) -> None:
    name, level = f.name, f.compute
    seen = [name]
    while level != ROOT:
        if level.func in seen:
            raise ScheduleError(f"compute_at of Func {name}: {' inside '.join([*seen, level.func])} is a circle")
        seen.append(level.func)
        level = nest.funcs[level.func].compute
