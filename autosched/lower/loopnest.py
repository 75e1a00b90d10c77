"""From a scheduled pipeline to loops: bounds, loop nests, where storage is placed.

Each Func computed at the root becomes a stage, whose outermost loop is dealt to threads in ranges. Everything in a
stage is still scalar here, reads are Accesses and writes are Puts; vectorized loops are marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product

from autosched.errors import CompileError, ScheduleError
from autosched.lang.func import Pipeline
from autosched.lang.types import Type
from autosched.lower import algebra
from autosched.lower.algebra import ONE, ZERO, add, ceildiv, const, maximum, mul, sub
from autosched.lower.bounds import Bounds, Interval
from autosched.lower.derive import derive, loop_name
from autosched.lower.ir import (
    Assign,
    Binary,
    Comment,
    Const,
    Expr,
    For,
    If,
    Let,
    Name,
    Put,
    Require,
    Reserve,
    Stmt,
    names,
    statements,
    walk,
)
from autosched.lower.names import extent_name, region_names, stride_name
from autosched.lower.prefetch import prefetch_next
from autosched.lower.reductions import Reducer
from autosched.lower.regions import Regions
from autosched.lower.sliding import Slide, directly_inside, nothing_there, slide
from autosched.lower.stages import SLACK, Box, CircularDim, LoopNests, Stage, Storage, StoredFunc
from autosched.lower.translate import Env, Translator
from autosched.lower.wrapping import may_wrap
from autosched.schedule import directives as d
from autosched.schedule.func_nest import ROOT, FuncNest, Level, Loop
from autosched.schedule.nest import Nest


class LoopNestBuilder:
    """Builds the stages of one pipeline under one resolved schedule."""

    def __init__(self, nest: Nest, strides: dict[str, dict[int, int]], params: Mapping[str, tuple[int, int]]) -> None:
        self.nest = nest
        self.pipeline: Pipeline = nest.pipeline
        inlined = frozenset(n.name for n in nest.funcs.values() if n.inlined)
        self.translator = Translator(inlined, params)
        tables = {
            name: (self.translator.scalar(t.bounds[0]), self.translator.scalar(t.bounds[1]))
            for name, t in self.pipeline.inputs.items()
            if t.bounds is not None
        }
        self.bounds = Bounds(self.pipeline.inputs, tables)
        self.regions = Regions(nest, self.translator, self.bounds)
        self.order = self.regions.order  # producers first
        self.boxes, self.derived = self.regions.boxes, self.regions.derived
        self.storages: dict[str, Storage] = {}
        self.statuses: list[str] = []
        self.counter = 0
        self.strides = strides

    # loops

    def build(self) -> LoopNests:
        """All stages."""
        roots: list[StoredFunc] = []
        output = self.pipeline.output
        for name in reversed(self.order):
            f = self.nest.funcs[name]
            if f.compute != ROOT:
                continue
            if f.func is output:
                self.boxes[name] = tuple(
                    (ZERO, sub(self._promised(a.name) or Name(extent_name(name, i)), ONE))
                    for i, a in enumerate(output.args)
                )
                self.storages[name] = replace(self._external(name, f.func.type, f.func.ndim), stream=f.stream)
            else:
                box = self.regions.region(name, ROOT)
                known = tuple((Name(lo), Name(hi)) for lo, hi in (region_names(name, a.name) for a in f.func.args))
                self.boxes[name] = known
                roots.append(self._root(f, box))
        for input_name, source in self.pipeline.inputs.items():
            self.storages[input_name] = self._external(input_name, source.type, source.ndim, constant=True)
        required = self.regions.inputs(self.order, ROOT)
        inner = (self.regions.region(n, ROOT) for n in self.order if self.nest.funcs[n].compute != ROOT)
        checked = set(_sides(required.values()))
        wrapping = tuple(e for e in dict.fromkeys(_sides(inner)) if e not in checked and any(map(may_wrap, walk(e))))
        stages = tuple(self._stage(name) for name in self.order if self.nest.funcs[name].compute == ROOT)
        return LoopNests(
            stages=stages,
            roots=tuple(roots),
            required=required,
            wrapping=wrapping,
            storages=self.storages,
            statuses=tuple(self.statuses),
            table_bounds=dict(self.bounds.table_bounds),
        )

    def _promised(self, arg: str) -> Expr | None:
        extent = self.pipeline.output.bounds.get(arg)
        return None if extent is None else const(extent)

    def _external(self, name: str, elem: Type, ndim: int, constant: bool = False) -> Storage:
        known = self.strides.get(name, {})
        strides = tuple(const(known[i]) if i in known else Name(stride_name(name, i)) for i in range(ndim))
        return Storage(name, elem, strides, (ZERO,) * ndim, constant=constant)

    def _aligned(self, f: FuncNest, box: Box) -> tuple[Expr, ...]:
        extents = [add(sub(hi, lo), ONE) for lo, hi in box]
        for x in f.aligns:
            dim = [a.name for a in f.func.args].index(x.var)
            extents[dim] = mul(ceildiv(extents[dim], x.multiple), const(x.multiple))
        return tuple(extents)

    def _storage_order(self, f: FuncNest) -> tuple[int, ...]:
        args = [a.name for a in f.func.args]
        return tuple(args.index(v) for v in f.storage)

    def _root(self, f: FuncNest, box: Box) -> StoredFunc:
        order = self._storage_order(f)
        size = f.func.type.bytes
        strides = tuple(const(size) if i == order[-1] else Name(stride_name(f.name, i)) for i in range(f.func.ndim))
        origin = tuple(lo for lo, _ in self.boxes[f.name])
        self.storages[f.name] = Storage(f.name, f.func.type, strides, origin, owned=True, root=True, stream=f.stream)
        return StoredFunc(f.name, f.func.type, tuple(a.name for a in f.func.args), box, self._aligned(f, box), order)

    def _stage(self, name: str) -> Stage:
        f = self.nest.funcs[name]
        self.derived[name] = derive(f, self.boxes[name])
        body = self._top_storage(f)
        body += self._loops(f, 0)
        first = f.loops[0]
        if first.kind not in ("serial", "parallel"):
            return Stage(name, "", ONE, False, tuple(body), {})
        extent = self.derived[name].extents[first.name]
        reads = self._reads(Level(name, first.name))
        return Stage(name, loop_name(name, first.name), extent, first.kind == "parallel", tuple(body), reads)

    def _reads(self, level: Level) -> dict[str, Box]:
        """The box of every input that one iteration of a stage's outermost loop reads, where it can be told."""
        inside = [n for n in self.order if self.nest.within(n, level)]
        try:
            return self.regions.inputs(inside, level)
        except CompileError:
            return {}

    def _top_storage(self, f: FuncNest) -> list[Stmt]:
        """Storage at the root of Funcs computed inside this stage."""
        out: list[Stmt] = []
        for name in self.order:
            g = self.nest.funcs[name]
            if g.compute != ROOT and g.store == ROOT and self.nest.path(name)[0].func == f.name:
                out += self._reserve(g, ROOT)
        return out

    def _loops(self, f: FuncNest, i: int) -> list[Stmt]:
        """Loop number `i` of `f` and what is in it."""
        rest = f.loops[i:]
        if all(loop.kind == "unrolled" for loop in rest):
            return self._jammed(f, rest)
        loop = rest[0]
        name = loop_name(f.name, loop.name)
        extent = self.derived[f.name].extents[loop.name]
        if loop.kind == "vectorized":
            ragged = not any(
                isinstance(x, d.Split) and x.inner == loop.name and x.tail == "shift_inwards" for x in f.derivations
            )
            inside = tuple(self._loops(f, i + 1))
            return [For(name, ZERO, extent, inside, "vectorized", loop.lanes, ragged=ragged)]
        prefetched: list[Stmt] = []
        for x in f.prefetches.next:
            if x.at == loop.name:
                prefetched += prefetch_next(x, f, self.regions, self.storages)
        body = prefetched + self._level(Level(f.name, loop.name)) + self._loops(f, i + 1)
        if loop.kind == "unrolled" and algebra.value_of(extent) == loop.lanes and not _reserves(body):
            copies: list[Stmt] = []
            for n in range(loop.lanes):
                copies.append(Let(name, const(n)))
                copies += body
            return copies
        return [For(name, ZERO, extent, tuple(body))]

    def _level(self, level: Level) -> list[Stmt]:
        """Storage and computation of Funcs in each iteration of `level`, before the loops inside it."""
        out: list[Stmt] = []
        computed = [n for n in self.order if self.nest.funcs[n].compute == level]
        slides: dict[str, Slide] = {}
        for name in reversed(computed):
            bound, sliding = self._bind(self.nest.funcs[name], level)
            out += bound
            if sliding is not None:
                slides[name] = sliding
        for name in self.order:
            if self.nest.funcs[name].store == level:
                out += self._reserve(self.nest.funcs[name], level)
        for name in computed:
            out.append(Comment(f"{name} at {level}"))
            out += self._loops(self.nest.funcs[name], 0)
            if name in slides:
                _, last = self.boxes[name][slides[name].dim]
                out.append(slides[name].computed(last))
        return out

    def _bind(self, g: FuncNest, level: Level) -> tuple[list[Stmt], Slide | None]:
        """Names for the box of `g` that this iteration needs, and for the part that is not there where it slides."""
        out: list[Stmt] = []
        box: list[Interval] = []
        region = self.regions.region(g.name, level)
        for arg, (lo, hi) in zip(g.func.args, region, strict=True):
            long = algebra.difference(hi, lo)
            lo_name, hi_name = region_names(g.name, arg.name)
            first = self._named(lo_name, lo, out)
            last = self._named(hi_name, hi, out) if long is None else add(first, const(long))
            box.append((first, last))
        self.boxes[g.name] = tuple(box)
        circular = self.storages[g.name].circular if g.fold else None
        if circular is not None and circular.base is not None:
            lo, _ = box[circular.dim]
            behind = algebra.mod(sub(lo, self.storages[g.name].origin[circular.dim]), circular.length)
            out.append(Let(circular.base.name, sub(lo, behind)))
        fresh = list(box)
        sliding = slide(self.nest, g, level, region)
        if sliding is not None:
            dim = sliding.dim
            advances = self.bounds.nondecreasing(region[dim][0], loop_name(level.func, level.var))
            fresh[dim], stmts = sliding.missing(box[dim], advances, self.regions.round_up(g.name).get(dim))
            out += stmts
        self.derived[g.name] = derive(g, tuple(fresh))
        return out, sliding

    def _named(self, name: str, value: Expr, out: list[Stmt]) -> Expr:
        """`value` by a name of its own, because loops that run once lose theirs; constants as they are."""
        if isinstance(value, Const):
            return value
        out.append(Let(name, value))
        return Name(name)

    def _reserve(self, g: FuncNest, level: Level) -> list[Stmt]:
        """Storage of `g` for one iteration of `level`."""
        out: list[Stmt] = []
        args = [a.name for a in g.func.args]
        box = self.boxes[g.name] if g.store == g.compute else self.regions.region(g.name, level)
        named: list[Interval] = []
        for arg, (lo, hi) in zip(args, box, strict=True):
            if g.store == g.compute or isinstance(lo, Const):
                named.append((lo, hi))
            else:
                out.append(Let(f"{g.name}.{arg}.origin", lo))
                named.append((Name(f"{g.name}.{arg}.origin"), hi))
        extents = list(self._aligned(g, tuple(named)))
        circular = None
        if g.fold:
            dim = args.index(g.fold.var)
            length, stmts = self._fold(g, g.fold, dim)
            out += stmts
            base = None if g.fold.factor else Name(f"{g.name}.{g.fold.var}.turn")
            circular = CircularDim(dim, length, base)
            extents[dim] = length
        order = self._storage_order(g)
        strides: list[Expr] = [ZERO] * len(args)
        step: Expr = const(g.func.type.bytes)
        for dim in reversed(order):
            if isinstance(step, (Const, Name)):
                strides[dim] = step
            else:
                out.append(Let(f"{g.name}.{args[dim]}.step", step))
                strides[dim] = Name(f"{g.name}.{args[dim]}.step")
            step = mul(strides[dim], maximum(extents[dim], ONE))
        out.append(Reserve(g.name, add(step, const(SLACK))))
        self.storages[g.name] = Storage(
            g.name,
            g.func.type,
            tuple(strides),
            tuple(lo for lo, _ in named),
            circular=circular,
            owned=True,
            stream=g.stream,
        )
        if g.store != g.compute:
            out += nothing_there(g.name)
        return out

    def _fold(self, g: FuncNest, x: d.FoldStorage, dim: int) -> tuple[Expr, list[Stmt]]:
        """The length of the circular dimension: the largest window of any iteration of the loop that computes."""
        if not directly_inside(self.nest, g):
            raise ScheduleError(
                f"{x} of Func {g.name}: it must be computed in the loop just inside where it is stored ({g.store}), "
                f"not at {g.compute}"
            )
        if g.compute.func not in self.derived:
            raise ScheduleError(f"{x} of Func {g.name}: store it at a loop of {g.compute.func}, where it is computed")
        loop = loop_name(g.compute.func, g.compute.var)
        lo, hi = self.regions.region(g.name, g.compute)[dim]
        window = add(sub(hi, lo), ONE)
        need = Name(f"{g.name}.{x.var}.window")  # the least factor
        out: list[Stmt] = []
        if loop in names(window):
            extent = self.derived[g.compute.func].extents[g.compute.var]
            out.append(Assign(need.name, ONE))
            out.append(For(loop, ZERO, extent, (Assign(need.name, maximum(need, window)),)))
        else:
            out.append(Let(need.name, window))
        if x.factor:
            self.statuses.append(
                f"{x} of Func {g.name}: the sliding window does not fit; use a larger factor, or 0 to find it"
            )
            out.append(Require(Binary("le", need, const(x.factor)), len(self.statuses)))
            return const(x.factor), out
        return need, out

    # values

    def _jammed(self, f: FuncNest, loops: tuple[Loop, ...]) -> list[Stmt]:
        """The innermost body, once for each combination of the unrolled loops around it."""
        extents = [self.derived[f.name].extents[x.name] for x in loops]
        ranges = {loop_name(f.name, x.name): (ZERO, const(x.lanes - 1)) for x in loops}
        partial = [
            Binary("le", const(x.lanes), self.bounds.interval(e, ranges)[0])
            for x, e in zip(loops, extents, strict=True)
            if algebra.value_of(e) != x.lanes
        ]
        whole = self._leaf(
            f,
            [
                {loop_name(f.name, x.name): const(n) for x, n in zip(loops, at, strict=True)}
                for at in product(*(range(x.lanes) for x in loops))
            ],
        )
        if not partial:
            return whole
        rest = self._leaf(f, [{}])
        for x, extent in zip(reversed(loops), reversed(extents), strict=True):
            rest = [For(loop_name(f.name, x.name), ZERO, extent, tuple(rest))]
        condition: Expr = partial[0]
        for p in partial[1:]:
            condition = Binary("and", condition, p)
        return [If(condition, tuple(whole), tuple(rest))]

    def _leaf(self, f: FuncNest, instances: list[dict[str, Expr]]) -> list[Stmt]:
        """Compute and put the values of `f` for each instance of its unrolled loops."""
        out: list[Stmt] = []
        coords = self.derived[f.name].coords
        envs = [Env({a.name: algebra.substitute(coords[a.name], at) for a in f.func.args}) for at in instances]
        assert f.func.value is not None
        translator = replace(self.translator, strategies=f.loads)
        reducer = Reducer(translator, self.fresh, f, out)
        values = translator.translate(f.func.value, envs, f.func, reducer.emit, reducer.share)
        for env, value in zip(envs, values, strict=True):
            out.append(Put(f.name, tuple(env.vars[a.name] for a in f.func.args), value))
        return out

    def fresh(self, hint: str) -> str:
        """A name that nothing else has."""
        self.counter += 1
        return f".{hint}.{self.counter}"


def _sides(boxes: Iterable[Box]) -> Iterator[Expr]:
    for box in boxes:
        for interval in box:
            yield from interval


def _reserves(body: list[Stmt]) -> bool:
    return any(isinstance(s, Reserve) for s in statements(tuple(body)))
