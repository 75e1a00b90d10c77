"""Which box of each Func must be there: the union of what its consumers read, at any level of the loop nest."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import count

from autosched.errors import CompileError
from autosched.lang import expr as lang
from autosched.lang.func import Func
from autosched.lower.algebra import ONE, ZERO, add, ceildiv, const, difference, maximum, minimum, mul, sub
from autosched.lower.bounds import Bounds, Interval, union
from autosched.lower.derive import Derived, loop_name
from autosched.lower.ir import Access, Expr, Name, Opaque, names
from autosched.lower.stages import Box
from autosched.lower.translate import Env, Translator
from autosched.schedule import directives as d
from autosched.schedule.func_nest import ROOT, Level
from autosched.schedule.nest import Nest


class Regions:
    """The regions of one resolved schedule. `boxes` and `derived` fill up while loop nests are built."""

    def __init__(self, nest: Nest, translator: Translator, bounds: Bounds) -> None:
        self.nest = nest
        self.translator = translator
        self.bounds = bounds
        order = [n.name for n in nest.funcs.values() if not n.inlined]
        self.reads = {name: self._reads(nest.funcs[name].func) for name in order}
        #: The Funcs that are computed, producers first.
        self.order = self._used(order)
        self.consumers = {name: [c for c in nest.consumers(name) if c in self.order] for name in self.order}
        #: What is computed of a Func where it is computed, and its loops there.
        self.boxes: dict[str, Box] = {}
        self.derived: dict[str, Derived] = {}

    def _reads(self, func: Func) -> tuple[list[Access], dict[str, Interval]]:
        """All accesses of `func`'s definition, inlined Funcs included, and the ranges of its reductions."""
        ranges: dict[str, Interval] = {}
        found: list[Access] = []
        assert func.value is not None

        numbers = count()
        seen: dict[int, Expr] = {}  # holds what it has seen, so that no other has its id

        def collect(e: Expr) -> None:
            if id(e) in seen:
                return
            seen[id(e)] = e
            if isinstance(e, Access):
                found.append(e)
            for child in e.children:
                collect(child)

        def on_shared(values: list[Expr]) -> list[Expr]:
            for value in values:  # computed by a name, also where nothing is left that needs it
                collect(value)
            known = [self.bounds.sides(v, {}) if v.elem.is_int else (None, None) for v in values]
            return [Opaque(v.elem, next(numbers), sides) for v, sides in zip(values, known, strict=True)]

        def on_reduce(node: lang.Reduce, envs: list[Env], owner: Func) -> list[list[Expr]]:
            inner = []
            for env in envs:
                reduced: dict[int, Expr] = {}
                for var in node.domain:
                    name = f"{owner.name}@{var.name}"
                    lo = self.translator.scalar(var.lo)
                    ranges[name] = (lo, maximum(lo, sub(add(lo, self.translator.scalar(var.extent)), ONE)))
                    reduced[id(var)] = Name(name)
                if isinstance(node, lang.Fold):
                    reduced[id(node.so_far)] = Opaque(node.type, next(numbers))
                inner.append(env.inside(reduced))
            if isinstance(node, lang.Fold):
                for value in self.translator.translate(node.start, envs, owner, on_reduce, on_shared):
                    collect(value)
            for value in self.translator.translate(node.value, inner, owner, on_reduce, on_shared):
                collect(value)
            parts: list[Expr] = [Name(f"{owner.name}@{var.name}") for var in node.domain]
            return [[*parts, Opaque(node.type, next(numbers))] for _ in envs]

        env = Env({a.name: Name(f"{func.name}@{a.name}") for a in func.args})
        collect(self.translator.translate(func.value, [env], func, on_reduce, on_shared)[0])
        return list(dict.fromkeys(found)), ranges

    def _used(self, order: list[str]) -> list[str]:
        """The Funcs that the output needs: simplification may leave one unread, as in f // 0."""
        used = {self.nest.pipeline.output.name}
        for name in reversed(order):
            if name in used:
                used |= {access.source for access in self.reads[name][0]}
        return [name for name in order if name in used]

    def region(self, name: str, level: Level) -> Box:
        """The box of `name` that its consumers inside one iteration of `level` need."""
        found = self.read(self.consumers[name], level, {name})
        if name not in found:
            raise CompileError(f"Func {name} has no consumer at {level}")
        return self._rounded(name, found[name], level)

    def inputs(self, consumers: Iterable[str], level: Level) -> dict[str, Box]:
        """The box of every input that these Funcs read inside one iteration of `level`."""
        return self.read(consumers, level, self.nest.pipeline.inputs.keys())

    def read(self, consumers: Iterable[str], level: Level, wanted: Container[str]) -> dict[str, Box]:
        """The boxes of `wanted` that these Funcs read inside one iteration of `level`."""
        found: dict[str, list[Interval | None]] = {}
        for consumer in consumers:
            accesses, ranges = self.reads[consumer]
            box = self.box_at(consumer, level)
            env = dict(ranges)
            for arg, interval in zip(self.nest.funcs[consumer].func.args, box, strict=True):
                env[f"{consumer}@{arg.name}"] = interval
            for access in accesses:
                if access.source in wanted:
                    read = found.setdefault(access.source, [None] * len(access.index))
                    for dim, index in enumerate(access.index):
                        read[dim] = union(read[dim], self.bounds.interval(index, env))
        return {name: tuple(i for i in box if i is not None) for name, box in found.items()}

    def box_at(self, name: str, level: Level) -> Box:
        """What one iteration of `level` computes of `name`, which is computed in it."""
        f = self.nest.funcs[name]
        if level == ROOT:
            return self.boxes[name] if f.compute == ROOT else self.region(name, ROOT)
        if name == level.func:
            return self._iteration(name, level.var)
        return self.region(name, level)

    def _iteration(self, name: str, loop: str) -> Box:
        """The coordinates of `name` in one iteration of its loop `loop`."""
        f, derived = self.nest.funcs[name], self.derived[name]
        loops = [x.name for x in f.loops]
        ranges: dict[str, Interval] = {}
        for place, inner in reversed(list(enumerate(f.loops))):
            if place > loops.index(loop) or inner.kind == "vectorized":  # all lanes are one iteration
                ranges[loop_name(name, inner.name)] = (ZERO, sub(derived.extents[inner.name], ONE))
        # an inner extent may depend on loops that run too: widen until only fixed names remain
        for _ in loops:
            ranges = {k: (lo, self.bounds.most(hi, ranges)) for k, (lo, hi) in ranges.items()}
        box = []
        for arg in f.func.args:
            least, most = derived.box[arg.name]
            try:
                lo, hi = self.bounds.interval(derived.coords[arg.name], ranges)
            except CompileError:  # a coordinate of a fused loop that runs: all of it
                lo, hi = least, most
            if names(lo) & ranges.keys() or names(hi) & ranges.keys():
                lo, hi = least, most
            inside = difference(hi, most) == 0 or self._runs(name, arg.name, ranges)
            box.append((lo, hi if inside else minimum(hi, most)))
        return tuple(box)

    def _runs(self, name: str, arg: str, ranges: dict[str, Interval]) -> bool:
        """Whether a coordinate is that of one loop over all of it, in an iteration: then it does not pass the end."""
        derived = self.derived[name]
        least, most = derived.box[arg]
        for loop, extent in derived.extents.items():
            var = loop_name(name, loop)
            if difference(derived.coords[arg], add(least, Name(var))) == 0:
                return var not in ranges and difference(extent, add(sub(most, least), ONE)) == 0
        return False

    def _rounded(self, name: str, box: Box, level: Level) -> Box:
        """`box` enlarged to whole blocks where a split rounds up.

        Blocks begin where the box of one computation begins. Outside of the loop that computes, each iteration has a
        box of its own inside of this one, and its last block may end a block less one element behind it.
        """
        out = list(box)
        for dim, factor in self.round_up(name).items():
            lo, hi = out[dim]
            if level == self.nest.funcs[name].compute:
                blocks = ceildiv(add(sub(hi, lo), ONE), factor)
                out[dim] = (lo, sub(add(lo, mul(blocks, const(factor))), ONE))
            else:
                out[dim] = (lo, add(hi, const(factor - 1)))
        return tuple(out)

    def round_up(self, name: str) -> dict[int, int]:
        """The block size of coordinates that are computed in whole blocks."""
        f = self.nest.funcs[name]
        args = [a.name for a in f.func.args]
        splits = (x for x in f.derivations if isinstance(x, d.Split) and x.tail == "round_up")
        return {args.index(x.var): x.factor for x in splits if x.var in args}
