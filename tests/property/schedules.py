"""Random schedules for a pipeline: directives are proposed one by one, and kept where they are legal so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from autosched.errors import ScheduleError
from autosched.lang import Pipeline
from autosched.lang.expr import Reduce, walk
from autosched.lang.func import sources
from autosched.schedule import Schedule
from autosched.schedule.func_nest import ROOT, FuncNest, Level
from autosched.schedule.nest import Nest, resolve

Draw = Callable[..., Any]
Tried = Callable[[Schedule], Schedule]

LANES = (2, 4, 8, 16, 32, 64)
FACTORS = (1, 2, 3, 4, 5, 8, 16)
SHAPES = ("split", "split", "tile", "reorder", "fuse", "parallel", "vectorize", "vectorize", "unroll", "unroll")


class _Proposer:
    def __init__(self, draw: Draw, pipeline: Pipeline) -> None:
        self.draw = draw
        self.pipeline = pipeline
        self.schedule = Schedule()
        self.count = 0

    def one_of(self, items: Any) -> Any:
        return self.draw(st.sampled_from(tuple(items)))

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def fresh(self) -> str:
        self.count += 1
        return f"l{self.count}"

    def nest(self) -> Nest:
        return resolve(self.pipeline, self.schedule)

    def attempt(self, change: Tried) -> bool:
        """Apply `change` where that is legal."""
        proposed = change(self.schedule)
        try:
            resolve(self.pipeline, proposed)
        except ScheduleError:
            return False
        self.schedule = proposed
        return True

    def run(self) -> Schedule:
        for func in reversed(self.pipeline.funcs):
            name = func.name
            if func is not self.pipeline.output:
                self.place(name)
            if self.nest().funcs[name].inlined:
                continue
            for _ in range(self.draw(st.integers(0, 4))):
                self.shape(name)
            if self.chance(45) and not any(x.kind == "vectorized" for x in self.nest().funcs[name].loops):
                self.vectorize(name, innermost=True)
            self.reductions(name)
            self.reads(name)
            if func is not self.pipeline.output:
                self.storage(name)
        for param, of in self.pipeline.params.items():
            if of.of.is_int and self.chance(25):
                value = self.draw(st.integers(0, 5))
                self.attempt(lambda s, p=param, v=value: s.specialize(self.pipeline.output.name, p, v))
            if of.of.is_int and self.chance(25):
                width = self.draw(st.integers(1, 4))
                self.attempt(
                    lambda s, p=param, w=width: s.specialize_ranges(self.pipeline.output.name, p, w, 2 * w + 1)
                )
        return self.schedule

    # where

    def around(self, nest: Nest, name: str) -> list[Level]:
        """Loops that enclose all consumers of `name`."""
        common: list[Level] | None = None
        for consumer in nest.consumers(name):
            loops = [*nest.path(consumer), *(Level(consumer, x.name) for x in nest.funcs[consumer].loops)]
            common = loops if common is None else [x for x in common if x in loops]
        return common or []

    def place(self, name: str) -> None:
        form = self.one_of(("default", "inline", "root", "at", "at", "at", "at"))
        if form == "inline":
            self.attempt(lambda s: s.inline(name))
        elif form == "root":
            self.attempt(lambda s: s.compute_root(name))
        elif form == "at":
            self.at(name)

    def at(self, name: str) -> None:
        nest = self.nest()
        choices = self.around(nest, name)
        while choices:
            level = self.one_of(choices)
            if self.attempt(lambda s, to=level: s.compute_at(name, to.func, to.var)):
                break
            choices.remove(level)
        else:
            return
        if self.chance(50):
            nest = self.nest()
            outer = [ROOT, *nest.path(name)[:-1]]
            where = self.one_of(outer)
            if where == ROOT:
                done = self.attempt(lambda s: s.store_root(name))
            else:
                done = self.attempt(lambda s: s.store_at(name, where.func, where.var))
            if done and self.chance(60):
                var = self.one_of(a.name for a in self.pipeline.func(name).args)
                factor = self.one_of((0, 0, 0, 4, 7, 16, 32))
                self.attempt(lambda s: s.fold_storage(name, var, factor))

    # loops

    def shape(self, name: str) -> None:
        f = self.nest().funcs[name]
        loops = [x.name for x in f.loops]
        form = self.one_of(SHAPES)
        tail = self.one_of(("guard", "guard", "round_up", "shift_inwards"))
        var = self.one_of(loops)
        match form:
            case "split":
                outer, inner, factor = self.fresh(), self.fresh(), self.one_of(FACTORS)
                self.attempt(lambda s: s.split(name, var, outer, inner, factor, tail))
            case "tile" if len(loops) > 1:
                i = self.draw(st.integers(0, len(loops) - 2))
                new = [self.fresh() for _ in range(4)]
                factors = [self.one_of(FACTORS) for _ in range(2)]
                self.attempt(lambda s: s.tile(name, loops[i], loops[i + 1], *new, *factors, tail))
            case "reorder" if len(loops) > 1:
                order = self.draw(st.permutations(loops))
                order = order[: self.draw(st.integers(2, len(order)))]
                self.attempt(lambda s: s.reorder(name, *order))
            case "fuse" if len(loops) > 1:
                i = self.draw(st.integers(0, len(loops) - 2))
                fused = self.fresh()
                self.attempt(lambda s: s.fuse(name, loops[i], loops[i + 1], fused))
            case "parallel":
                self.attempt(lambda s: s.parallel(name, loops[0]))
            case "vectorize":
                self.vectorize(name, innermost=self.chance(60))
            case "unroll":
                self.attempt(lambda s: s.unroll(name, var, self.one_of((1, 2, 3, 4))))

    def vectorize(self, name: str, innermost: bool) -> None:
        loops = [x.name for x in self.nest().funcs[name].loops]
        var = loops[-1] if innermost else self.one_of(loops)
        lanes, tail = self.one_of(LANES), self.one_of(("guard", "guard", "round_up", "shift_inwards"))
        self.attempt(lambda s: s.vectorize(name, var, lanes, tail))

    def reductions(self, name: str) -> None:
        reduces = [n for n in walk(self.pipeline.func(name).value) if isinstance(n, Reduce)]
        for node in reduces:
            names = [v.name for v in node.domain]
            if len(names) > 1 and self.chance(30):
                order = self.draw(st.permutations(names))
                if self.attempt(lambda s, o=order: s.reorder(name, *o)):
                    names = order
            if self.chance(50):
                var, lanes = names[-1], self.one_of((2, 2, 4, 4, 8, 16))
                self.attempt(lambda s, v=var, n=lanes: s.vectorize(name, v, n))
            if self.chance(40):
                var, factor = self.one_of(names), self.one_of((1, 2, 3, 4, 8))
                self.attempt(lambda s, v=var, n=factor: s.unroll(name, v, n))

    def reads(self, name: str) -> None:
        if not self.chance(35):
            return
        seen = self.readable(self.nest().funcs[name])
        for source in seen:
            if self.chance(60):
                way = self.one_of(("pick", "gather", "permute64", "permute128"))
                self.attempt(lambda s, x=source, w=way: s.loads(name, x, w))
            if self.chance(25):
                distance = self.one_of((64, 4096, 1 << 20))
                self.attempt(lambda s, x=source, n=distance: s.prefetch(name, x, n))
        self.fetches(name)

    def fetches(self, name: str) -> None:
        """What loops prefetch of their next turns, of what the Func reads or of what that is computed from."""
        known = [*self.pipeline.inputs, *(f.name for f in self.pipeline.funcs)]
        loops = [loop.name for loop in self.nest().funcs[name].loops]
        if loops and self.chance(40):
            source, loop, at = self.one_of(known), self.one_of(loops), self.one_of(loops)
            turns, lines = self.one_of((1, 3)), self.one_of((0, 0, 2))
            self.attempt(lambda s: s.prefetch_next(name, source, at, loop, turns, lines))
        if loops and self.chance(30):
            loop, turns = self.one_of(loops), self.one_of((1, 3))
            self.attempt(lambda s: s.prefetch_stores(name, loop, turns))

    def readable(self, f: FuncNest) -> list[str]:
        return [s.name for s in sources(f.func)]

    def storage(self, name: str) -> None:
        args = [a.name for a in self.pipeline.func(name).args]
        if len(args) > 1 and self.chance(25):
            order = self.draw(st.permutations(args))
            self.attempt(lambda s: s.reorder_storage(name, *order))
        if self.chance(25):
            self.attempt(lambda s: s.stream(name))
        if self.chance(25):
            var, multiple = self.one_of(args), self.one_of((1, 4, 7, 32))
            self.attempt(lambda s: s.align_storage(name, var, multiple))


@st.composite
def schedules(draw: Draw, pipeline: Pipeline) -> Schedule:
    """Schedules that `resolve` accepts."""
    return _Proposer(draw, pipeline).run()
