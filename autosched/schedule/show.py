"""Print a resolved schedule as the loop nest that it makes."""

from __future__ import annotations

from autosched.lang.func import Pipeline
from autosched.schedule.nest import ROOT, FuncNest, Level, Nest, resolve
from autosched.schedule.schedule import Schedule

_WORD = {"serial": "for", "parallel": "parallel", "vectorized": "vectorized", "unrolled": "unrolled"}


def show(pipeline: Pipeline, schedule: Schedule) -> str:
    """The loop nest of `pipeline` under `schedule`, one loop a line, producers before consumers."""
    nest = resolve(pipeline, schedule)
    lines = [f"pipeline {pipeline.name}:"]
    kept = [f for f in nest.funcs.values() if not f.inlined and f.store == ROOT and f.name != pipeline.output.name]
    lines += [f"  store {f.name}{_storage(f)}" for f in kept]
    for f in nest.funcs.values():
        if not f.inlined and f.compute == ROOT:
            lines += _func(nest, f, 1)
    return "\n".join(lines)


def _storage(f: FuncNest) -> str:
    fold = "".join(f" (fold {x.var}{f' by {x.factor}' if x.factor else ''})" for x in f.folds)
    return f"[{', '.join(f.storage)}]{fold}"


def _func(nest: Nest, f: FuncNest, depth: int) -> list[str]:
    lines = ["  " * depth + f"produce {f.name}:"]
    for loop in f.loops:
        depth += 1
        lanes = f" x{loop.lanes}" if loop.lanes > 1 else ""
        lines.append("  " * depth + f"{_WORD[loop.kind]} {loop.name}{lanes}:")
        here = Level(f.name, loop.name)
        stored = [g for g in nest.funcs.values() if not g.inlined and g.store == here]
        lines += ["  " * (depth + 1) + f"store {g.name}{_storage(g)}" for g in stored]
        for g in nest.funcs.values():
            if not g.inlined and g.compute == here:
                lines += _func(nest, g, depth + 1)
    lines.append("  " * (depth + 1) + f"{f.name}[{', '.join(a.name for a in f.func.args)}] = ...")
    return lines
