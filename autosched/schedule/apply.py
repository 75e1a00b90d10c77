"""The directives of one Func, applied one after the other: its nest, or what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from autosched.errors import ScheduleError
from autosched.lang.expr import RVar
from autosched.lang.func import Func, Pipeline, RDom
from autosched.schedule import directives as d
from autosched.schedule.func_nest import (
    ROOT,
    FuncNest,
    Kind,
    Level,
    Loop,
    Prefetches,
    ReductionLoop,
    commutes,
    reductions,
)

#: What says nothing of loops and storage, and so may be said of an inlined Func.
_SHAPELESS: Final = (d.Inline, d.Specialize, d.SpecializeRanges)


def func_nest(pipeline: Pipeline, func: Func, directives: Sequence[d.Directive], inlined: set[str]) -> FuncNest:
    """The nest that `directives` make of `func`; `inlined` are the Funcs before it that are substituted."""
    builder = _Builder(pipeline, func, inlined)
    for directive in directives:
        builder.apply(directive)
    return builder.finished()


class _Builder:
    """The nest of one Func while its directives are applied."""

    def __init__(self, pipeline: Pipeline, func: Func, inlined: set[str]) -> None:
        self.pipeline = pipeline
        self.func = func
        self.args = tuple(a.name for a in func.args)
        #: Reductions, and their coordinates by name: its own hide those of inlined Funcs.
        self.reduces = reductions(func, inlined)
        self.rvars = {v.name: v for node in self.reduces for v in node.domain}
        self.used = {*self.args, *self.rvars}
        self.loops = [Loop(name) for name in self.args]
        self.derivations: list[d.Split | d.Fuse] = []
        self.reductions: dict[RVar, ReductionLoop] = {}
        self.compute: d.Inline | d.ComputeRoot | d.ComputeAt | None = None
        self.store: d.StoreRoot | d.StoreAt | None = None
        self.storage = self.args
        self.fold: d.FoldStorage | None = None
        self.aligns: list[d.AlignStorage] = []
        self.loads: dict[str, d.LoadStrategy] = {}
        self.prefetches = Prefetches()
        self.stream = False
        #: Whether anything is said of loops or storage.
        self.shaped = False
        #: What can be said once, by what it is said of.
        self.given: dict[tuple[object, ...], d.Directive] = {}

    def fail(self, directive: d.Directive, why: str) -> ScheduleError:
        return ScheduleError(f"{directive} of Func {self.func.name}: {why}")

    def only_once(self, directive: d.Directive, *key: object) -> None:
        """Of two directives with one `key`, one would be without effect."""
        if key in self.given:
            raise self.fail(directive, f"it has {self.given[key]} already; keep one of the two")
        self.given[key] = directive

    # directives

    def apply(self, x: d.Directive) -> None:
        """Apply directive `x`, after those before it."""
        self.shaped = self.shaped or not isinstance(x, _SHAPELESS)
        match x:
            case d.Reorder() if all(v in self.rvars for v in x.vars):
                self.reorder_reduction(x)
            case d.Vectorize() | d.Unroll() if x.var in self.rvars:
                self.mark_reduction(x)
            case d.Inline() | d.ComputeRoot() | d.ComputeAt():
                self.only_once(x, "computed")
                self.compute = x
            case d.StoreRoot() | d.StoreAt():
                self.only_once(x, "stored")
                self.store = x
            case d.FoldStorage() | d.AlignStorage() | d.ReorderStorage() | d.Stream():
                self.set_storage(x)
            case d.Loads() | d.Prefetch() | d.PrefetchNext() | d.PrefetchStores():
                self.set_memory_access(x)
            case d.Specialize() | d.SpecializeRanges():
                if x.param not in self.pipeline.params or not self.pipeline.params[x.param].of.is_int:
                    raise self.fail(x, f"pipeline {self.pipeline.name} has no integer Param {x.param}")
                self.only_once(x, x)
            case _:
                self.apply_to_loops(x)

    def apply_to_loops(self, x: d.Directive) -> None:
        """The Func's own loops."""
        match x:
            case d.Split():
                self.split(x)
            case d.Tile():
                self.tile(x)
            case d.Reorder():
                self.reorder(x)
            case d.Fuse():
                self.fuse(x)
            case d.Parallel():
                i = self.position(x, x.var)
                self.require_serial(x, i)
                self.loops[i] = Loop(x.var, "parallel")
            case d.Vectorize():
                if any(loop.kind == "vectorized" for loop in self.loops):
                    raise self.fail(x, "one loop is vectorized already; unroll this one")
                self.split_and_mark(x, x.var, "vectorized", x.lanes, x.tail)
            case d.Unroll():
                self.split_and_mark(x, x.var, "unrolled", x.factor, "guard")

    def mark_reduction(self, x: d.Vectorize | d.Unroll) -> None:
        """A loop of the reductions over a domain."""
        var = self.rvars[x.var]
        self.only_once(x, x.op, var)
        loop = self.reductions.get(var, ReductionLoop())
        if isinstance(x, d.Vectorize):
            if x.tail != "guard":
                raise self.fail(x, f"{x.var} is a reduction coordinate, which has no tail; leave tail out")
            self.require_commutative(x, var, "; only integer sums, products, minima and maxima can be vectorized")
            self.reductions[var] = replace(loop, lanes=x.lanes)
        else:
            self.reductions[var] = replace(loop, unroll=x.factor)

    def reorder_reduction(self, x: d.Reorder) -> None:
        """The order of the loops of the reductions over a domain."""
        domain = self.require_commutative(x, self.rvars[x.vars[0]])
        if not {self.rvars[v] for v in x.vars} <= set(domain):
            raise self.fail(x, "these coordinates belong to different reductions")
        if len(x.vars) != len(domain.vars):
            raise self.fail(x, f"name all of {', '.join(v.name for v in domain)}")
        self.only_once(x, x.op, domain)
        for place, name in enumerate(x.vars):
            var = self.rvars[name]
            self.reductions[var] = replace(self.reductions.get(var, ReductionLoop()), place=place)

    def require_commutative(self, x: d.Directive, var: RVar, way_out: str = "") -> RDom:
        """The domain of `var`; the order of terms must not change the value of any reduction over it."""
        over = [node for node in self.reduces if var in set(node.domain)]
        for node in over:
            if not commutes(node):
                raise self.fail(x, f"the order of a {node.op} of {node.type} is part of its value{way_out}")
        return over[0].domain

    def set_storage(self, x: d.FoldStorage | d.AlignStorage | d.ReorderStorage | d.Stream) -> None:
        """Set how values lie in memory, and get there."""
        if isinstance(x, (d.FoldStorage, d.AlignStorage)) and x.var not in self.args:
            raise self.fail(x, f"{x.var} is not a coordinate; those are {', '.join(self.args)}")
        match x:
            case d.FoldStorage():
                self.only_once(x, x.op)
                self.fold = x
            case d.AlignStorage():
                self.only_once(x, x.op, x.var)
                self.aligns.append(x)
            case d.ReorderStorage():
                self.only_once(x, x.op)
                if sorted(x.vars) != sorted(self.args):
                    raise self.fail(x, f"it must name all of {', '.join(self.args)}, each once")
                self.storage = x.vars
            case d.Stream():
                self.only_once(x, x.op)
                self.stream = True

    def set_memory_access(self, x: d.Loads | d.Prefetch | d.PrefetchNext | d.PrefetchStores) -> None:
        """Set how lanes read sources, and what is prefetched."""
        if isinstance(x, d.PrefetchStores):
            self.only_once(x, x.op)
            self.prefetches = replace(self.prefetches, stores=x)
            return
        if x.source not in self.pipeline.inputs and x.source not in {f.name for f in self.pipeline.funcs}:
            raise self.fail(x, f"pipeline {self.pipeline.name} has no Input or Func {x.source}")
        match x:
            case d.Loads():
                self.only_once(x, x.op, x.source)
                self.loads[x.source] = x.strategy
            case d.Prefetch():
                self.only_once(x, x.op, x.source)
                self.prefetches = replace(self.prefetches, ahead=self.prefetches.ahead | {x.source: x.distance})
            case d.PrefetchNext():
                self.only_once(x, x)
                self.prefetches = replace(self.prefetches, next=(*self.prefetches.next, x))

    # loops

    def position(self, directive: d.Directive, name: str) -> int:
        for i, loop in enumerate(self.loops):
            if loop.name == name:
                return i
        if name in self.rvars:
            takers = "only vectorize, unroll and a reorder of their own take those"
            raise self.fail(directive, f"{name} is a coordinate of a reduction; {takers}")
        raise self.fail(directive, f"there is no loop {name}; the loops are {', '.join(x.name for x in self.loops)}")

    def claim_names(self, directive: d.Directive, *names: str) -> None:
        for name in names:
            if name in self.used or names.count(name) > 1:
                raise self.fail(directive, f"the name {name} is used already; choose another")
            self.used.add(name)

    def require_serial(self, directive: d.Directive, i: int) -> None:
        if self.loops[i].kind != "serial":
            raise self.fail(
                directive, f"loop {self.loops[i].name} is {self.loops[i].kind} already; do this before that"
            )

    def split(self, s: d.Split) -> None:
        i = self.position(s, s.var)
        self.require_serial(s, i)
        if s.outer != s.var and s.inner != s.var:
            self.claim_names(s, s.outer, s.inner)
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
        if s.var in self.args:
            return True
        whole = (x for x in self.derivations if isinstance(x, d.Split) and x.tail == "round_up" and x.inner == s.var)
        return any(x.factor % s.factor == 0 for x in whole)

    def tile(self, t: d.Tile) -> None:
        if self.position(t, t.x) != self.position(t, t.y) + 1:
            raise self.fail(t, f"{t.x} must be the loop just inside {t.y}; reorder first")
        self.split(d.Split(t.y, t.outer_y, t.inner_y, t.factor_y, t.tail))
        self.split(d.Split(t.x, t.outer_x, t.inner_x, t.factor_x, t.tail))
        self.reorder(d.Reorder((t.outer_y, t.outer_x, t.inner_y, t.inner_x)))

    def reorder(self, r: d.Reorder) -> None:
        places = sorted(self.position(r, name) for name in r.vars)
        chosen = [self.loops[self.position(r, name)] for name in r.vars]
        for place, loop in zip(places, chosen, strict=True):
            self.loops[place] = loop

    def fuse(self, f: d.Fuse) -> None:
        i, j = self.position(f, f.outer), self.position(f, f.inner)
        self.require_serial(f, i)
        self.require_serial(f, j)
        if j != i + 1:
            raise self.fail(f, f"{f.inner} must be the loop just inside {f.outer}; reorder first")
        origin_a, origin_b = self.origins(f.outer), self.origins(f.inner)
        if origin_a & origin_b:
            raise self.fail(f, f"{f.outer} and {f.inner} are parts of one coordinate; do not split it instead")
        self.claim_names(f, f.fused)
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

    def split_and_mark(self, directive: d.Directive, var: str, kind: Kind, size: int, tail: d.Tail) -> None:
        """Make `var` a vectorized or unrolled loop of `size`, split first where it may be longer."""
        i = self.position(directive, var)
        self.require_serial(directive, i)
        if self.longest(var) != size:
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

    def longest(self, name: str) -> int | None:
        """The greatest extent of loop `name`, where splits say it: of a block, or of the blocks within one."""
        for x in self.derivations:
            if isinstance(x, d.Split) and name == x.inner:
                return x.factor
            if isinstance(x, d.Split) and name == x.outer:
                whole = self.longest(x.var)
                return None if whole is None else -(-whole // x.factor)
        return None

    def loops_with_lanes_outside_unrolled(self) -> list[Loop]:
        """The loops of a Func that reduces, lanes outside of the unrolled loops around them where they can be.

        What is unrolled innermost shares the loops of reductions. Lanes that a block's tail cuts short stay inside.
        """
        inner = len(self.loops)
        while inner and self.loops[inner - 1].kind in ("vectorized", "unrolled"):
            inner -= 1
        last = self.loops[inner:]
        lanes = [loop for loop in last if loop.kind == "vectorized"]
        before = {loop.name for loop in last[: last.index(lanes[0])]} if lanes else set()
        if not lanes or self.guard_loops(lanes[0].name) & before:
            return self.loops
        return [*self.loops[:inner], *lanes, *(loop for loop in last if loop.kind == "unrolled")]

    def guard_loops(self, name: str) -> set[str]:
        """The loops that the extent of loop `name` depends on: of the last block, where it is cut short."""
        for x in self.derivations:
            if isinstance(x, d.Split) and name == x.outer:
                return self.guard_loops(x.var)
            if isinstance(x, d.Split) and name == x.inner:
                return self.parts(x.outer) | self.guard_loops(x.var) if x.tail == "guard" else set()
        return set()

    def parts(self, name: str) -> set[str]:
        """The loops that loop `name` has become."""
        for x in self.derivations:
            if isinstance(x, d.Split) and name == x.var:
                return self.parts(x.outer) | self.parts(x.inner)
            if isinstance(x, d.Fuse) and name in (x.outer, x.inner):
                return self.parts(x.fused)
        return {name}

    # the whole

    def finished(self) -> FuncNest:
        """The nest, once all directives are applied."""
        self._check_loops()
        if self.func is self.pipeline.output:
            self._check_output()
        compute = self.compute or self._default_placement()
        if isinstance(compute, d.Inline):
            if self.shaped:
                raise self.fail(compute, "an inlined Func has no loops and no storage; remove its other directives")
            return FuncNest.substituted(self.func)
        level = Level(compute.func, compute.var) if isinstance(compute, d.ComputeAt) else ROOT
        match self.store:
            case d.StoreAt(func=func, var=var):
                store = Level(func, var)
            case d.StoreRoot():
                store = ROOT
            case None:
                store = level
        nest = FuncNest(
            func=self.func,
            loops=tuple(self.loops_with_lanes_outside_unrolled() if self.reduces else self.loops),
            derivations=tuple(self.derivations),
            compute=level,
            store=store,
            storage=self.storage,
            fold=self.fold,
            aligns=tuple(self.aligns),
            reductions=self.reductions,
            loads=self.loads,
            prefetches=self.prefetches,
            stream=self.stream,
        )
        self._check_reductions(nest)
        return nest

    def _default_placement(self) -> d.Inline | d.ComputeRoot:
        """Where nothing is said: at the root what reduces, has directives of its own, or is the output."""
        at_root = self.func.reduces or self.shaped or self.func is self.pipeline.output
        return d.ComputeRoot() if at_root else d.Inline()

    def _check_output(self) -> None:
        """It is computed whole, in the caller's array."""
        if isinstance(self.compute, (d.Inline, d.ComputeAt)):
            raise self.fail(self.compute, "the output is always computed at the root")
        if self.store is not None or self.fold or self.aligns or self.storage != self.args:
            raise ScheduleError(
                f"Func {self.func.name} is the output: its storage is the caller's array, so it cannot be scheduled"
            )

    def _check_loops(self) -> None:
        """Loops that are dealt to threads are outermost, and those that fetch are there."""
        for i, loop in enumerate(self.loops):
            if loop.kind == "parallel" and i > 0:
                raise ScheduleError(
                    f"parallel({loop.name!r}) of Func {self.func.name}: it must be the outermost loop; "
                    f"reorder it before {self.loops[0].name}, or fuse the two"
                )
        for x in self.prefetches.next:
            if self.position(x, x.loop) > self.position(x, x.at):
                raise self.fail(x, f"loop {x.loop} is inside {x.at}; name one around it, or {x.at} itself")
            for name in (x.at, x.loop):
                self._check_turns(x, name)
        stores = self.prefetches.stores
        if stores:
            self._check_turns(stores, stores.loop)
            if self.stream:
                raise self.fail(stores, "what goes past the caches needs no lines there; remove it, or stream")

    def _check_reductions(self, nest: FuncNest) -> None:
        """The loop that runs in lanes is the innermost one of its reduction, and is not written out."""
        for node in self.reduces:
            *around, last = nest.ordered(node.domain)
            for var in around:
                if nest.reduction(var).lanes > 1:
                    order = ", ".join(v.name for v in (*around, last) if v is not var)
                    raise self.fail(
                        self.given["vectorize", var],
                        f"{last.name} is inside {var.name} in the reduction; vectorize {last.name}, or reorder to "
                        f"{order}, {var.name}",
                    )
            if nest.reduction(last).lanes > 1 and nest.reduction(last).unroll > 1:
                raise self.fail(
                    self.given["unroll", last],
                    f"{last.name} is vectorized; unroll another coordinate, or remove one of the two",
                )

    def _check_turns(self, x: d.Directive, name: str) -> None:
        """The loop is there, and its iterations follow each other."""
        loop = self.loops[self.position(x, name)]
        if loop.kind in ("vectorized", "unrolled"):
            raise self.fail(x, f"loop {loop.name} is {loop.kind}; choose one whose iterations follow each other")
