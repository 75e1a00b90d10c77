"""Print a resolved schedule as the loop nest that it makes."""

from __future__ import annotations

from typing import Final

from autosched.lang.expr import RVar
from autosched.lang.func import Pipeline
from autosched.schedule import directives as d
from autosched.schedule.func_nest import ROOT, FuncNest, Level, Loop, reductions
from autosched.schedule.nest import Nest, resolve
from autosched.schedule.schedule import Schedule

_WORD = {"serial": "for", "parallel": "parallel", "vectorized": "vectorized", "unrolled": "unrolled"}
#: What is no loop and no storage, but decides what is computed in the loops, and how.
_NOTES: Final = (d.Loads, d.Prefetch, d.PrefetchNext, d.PrefetchStores, d.Stream, d.Specialize, d.SpecializeRanges)


def show(pipeline: Pipeline, schedule: Schedule) -> str:
    """The loop nest of `pipeline` under `schedule`, one loop a line, producers before consumers.

    Loops of reductions are a line each, before what they are for; directives that make no loops follow `with`.
    """
    return "\n".join(_Printer(resolve(pipeline, schedule), schedule).pipeline())


class _Printer:
    def __init__(self, nest: Nest, schedule: Schedule) -> None:
        self.nest = nest
        self.schedule = schedule
        self.made = [f for f in nest.funcs.values() if not f.inlined]
        self.inlined = {f.name for f in nest.funcs.values() if f.inlined}

    def pipeline(self) -> list[str]:
        output = self.nest.pipeline.output.name
        roots = [f for f in self.made if f.compute == ROOT]
        lines = [f"pipeline {self.nest.pipeline.name}:"]
        lines += [f"  store {f.name}{_storage(f)}" for f in roots if f.name != output]
        for f in roots:
            lines += self.func(f, 1)
        return lines

    def func(self, f: FuncNest, depth: int) -> list[str]:
        lines = ["  " * depth + f"produce {f.name}:"]
        # in one order: schedules that say the same are shown alike, and have the same kernel
        notes = [x for kind in _NOTES for x in self.schedule.funcs.get(f.name, ()) if isinstance(x, kind)]
        lines += ["  " * (depth + 1) + f"with {x}{self.effect(f, x)}" for x in notes]
        if f.compute == ROOT:
            # storage at the root of what is computed in this Func's loops: one for every range that a thread takes
            ranges = f" for each range of {f.loops[0].name}" if f.loops and f.loops[0].kind == "parallel" else ""
            inside = [g for g in self.made if g.store == ROOT != g.compute and self.nest.path(g.name)[0].func == f.name]
            lines += ["  " * (depth + 1) + f"store {g.name}{_storage(g)}{ranges}" for g in inside]
        for loop in f.loops:
            depth += 1
            lines.append("  " * depth + f"{_WORD[loop.kind]} {loop.name}{_lanes(f, loop)}:")
            here = Level(f.name, loop.name)
            lines += ["  " * (depth + 1) + f"store {g.name}{_storage(g)}" for g in self.made if g.store == here]
            for g in self.made:
                if g.compute == here:
                    lines += self.func(g, depth + 1)
        lines += ["  " * (depth + 1) + line for line in self.reductions(f)]
        lines.append("  " * (depth + 1) + f"{f.name}[{', '.join(a.name for a in f.func.args)}] = ...")
        return lines

    def effect(self, f: FuncNest, x: d.Directive) -> str:
        """A remark on what is said of a source that the Func does not read."""
        if not isinstance(x, (d.Loads, d.Prefetch)):
            return ""
        readers = self.nest.consumers(x.source)
        if f.name in readers or (isinstance(x, d.Prefetch) and any(self.inside(name, f) for name in readers)):
            return ""
        return f" (no effect: {f.name} does not read {x.source})"

    def inside(self, name: str, f: FuncNest) -> bool:
        """Whether Func `name` is computed in the loops of `f`."""
        return any(level.func == f.name for level in self.nest.path(name))

    def reductions(self, f: FuncNest) -> list[str]:
        """The loops of each domain, outermost first, in one line: of what is reduced over it, the last is named."""
        last = {var.name: node for node in reductions(f.func, self.inlined) for var in node.domain}
        return [
            f"{node.op} over {', '.join(var.name + _taps(f, var) for var in f.ordered(node.domain))}"
            for node in {id(node): node for node in last.values()}.values()
        ]


def _lanes(f: FuncNest, loop: Loop) -> str:
    lanes = f" x{loop.lanes}" if loop.lanes > 1 else ""
    tails = [x.tail for x in f.derivations if isinstance(x, d.Split) and x.inner == loop.name and x.tail != "guard"]
    return lanes + "".join(f" ({tail})" for tail in tails)


def _taps(f: FuncNest, var: RVar) -> str:
    loop = f.reduction(var)
    lanes = f" vectorized x{loop.lanes}" if loop.lanes > 1 else ""
    return lanes + (f" unrolled x{loop.unroll}" if loop.unroll > 1 else "")


def _storage(f: FuncNest) -> str:
    fold = f" (fold {f.fold.var}{f' by {f.fold.factor}' if f.fold.factor else ''})" if f.fold else ""
    return f"[{', '.join(f.storage)}]{fold}"
