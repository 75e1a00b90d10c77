"""What a schedule means for a pipeline: the nest of each Func, and whether Funcs are where their consumers need them.

`resolve` is the one place that says whether a schedule is legal.
"""

from __future__ import annotations

from dataclasses import dataclass

from autosched.errors import ScheduleError
from autosched.lang.func import Pipeline, sources
from autosched.schedule.apply import func_nest
from autosched.schedule.func_nest import ROOT, FuncNest, Level
from autosched.schedule.schedule import Schedule


@dataclass(frozen=True)
class Nest:
    """The resolved schedule, Funcs producers first."""

    pipeline: Pipeline
    funcs: dict[str, FuncNest]

    def consumers(self, name: str) -> list[str]:
        """The Funcs that are not inlined and read `name`, a Func or an Input, directly or through inlined ones."""
        consumers: list[str] = []

        def visit(producer: str) -> None:
            for other in self.pipeline.funcs:
                if any(s.name == producer for s in sources(other)):
                    if self.funcs[other.name].inlined:
                        visit(other.name)
                    elif other.name not in consumers:
                        consumers.append(other.name)

        visit(name)
        return consumers

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
        nests[func.name] = func_nest(pipeline, func, schedule.funcs.get(func.name, ()), inlined)
    nest = Nest(pipeline, nests)
    placed = [f for f in nests.values() if not f.inlined]
    # paths go through the places of others
    for check in (_check_places, _check_acyclic, _check_levels, _check_fetches):
        for f in placed:
            check(nest, f)
    return nest


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
    if f.fold and f.store == f.compute:
        raise ScheduleError(
            f"{f.fold} of Func {name}: it is stored where it is computed, so there is nothing to fold; "
            "store it at a loop further out"
        )


def _check_fetches(nest: Nest, f: FuncNest) -> None:
    """Sources of `prefetch_next` are in memory before the Func's loops begin, and are read in them."""
    for x in f.prefetches.next:
        place = f"{x} of Func {f.name}"
        source = nest.funcs.get(x.source)
        if source is not None and (source.inlined or source.compute != ROOT):
            how = "inlined" if source.inlined else "computed inside a loop"
            raise ScheduleError(
                f"{place}: {x.source} cannot be prefetched: it is {how}; only Inputs and compute_root Funcs can"
            )
        if not any(nest.within(name, Level(f.name, x.loop)) for name in nest.consumers(x.source)):
            raise ScheduleError(f"{place}: nothing that is computed in loop {x.loop} reads {x.source}")


def _check_acyclic(nest: Nest, f: FuncNest) -> None:
    name, level = f.name, f.compute
    seen = [name]
    while level != ROOT:
        if level.func in seen:
            raise ScheduleError(
                f"compute_at cycle: {' inside '.join([*seen, level.func])}; compute {level.func} elsewhere"
            )
        seen.append(level.func)
        level = nest.funcs[level.func].compute
