"""From a scheduled pipeline to loops: bounds, loop nests, storage placement and sliding windows.

Each Func computed at the root becomes a stage, whose outermost loop is dealt to threads in ranges. Everything in a
stage is still scalar here, reads are Accesses and writes are Puts; vectorized loops are marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from autosched.errors import CompileError, ScheduleError
from autosched.lang import expr as lang
from autosched.lang.func import Func, Input, Pipeline
from autosched.lang.interpret import initial
from autosched.lang.types import Type, b1, i64
from autosched.lower import algebra
from autosched.lower.algebra import ONE, ZERO, add, ceildiv, const, maximum, minimum, mul, sub
from autosched.lower.bounds import Bounds, Interval, union
from autosched.lower.ir import (
    Access,
    Assign,
    Binary,
    Block,
    Comment,
    Const,
    Expr,
    For,
    If,
    Let,
    Name,
    Opaque,
    Put,
    Require,
    Reserve,
    Select,
    Stmt,
    Unary,
    names,
)
from autosched.lower.translate import Env, Translator, extent_name
from autosched.schedule import directives as d
from autosched.schedule.nest import ROOT, FuncNest, Level, Loop, Nest

Box = tuple[Interval, ...]

#: Bytes behind every buffer of the compiler's own, so that whole vectors may be read at its end.
SLACK = 512


@dataclass(frozen=True)
class Storage:
    """Where an array or a Func is in memory: address of element `origin`, byte strides, per coordinate."""

    buffer: str
    elem: Type
    strides: tuple[Expr, ...]
    origin: tuple[Expr, ...]
    fold: tuple[int, Expr, bool] | None = None  # coordinate, factor, whether the factor is a power of two
    constant: bool = False  # an input
    owned: bool = False  # memory of the compiler's own, with slack behind it
    root: bool = False  # written whole by a stage of its own

    def offsets(self, index: tuple[Expr, ...]) -> list[Expr]:
        """Elements from the origin, per coordinate."""
        out = [sub(i, o) for i, o in zip(index, self.origin, strict=True)]
        if self.fold:
            dim, factor, power = self.fold
            if power:
                out[dim] = Binary("and", out[dim], sub(factor, ONE))
            else:
                out[dim] = algebra.mod(out[dim], factor)
        return out


@dataclass(frozen=True)
class Root:
    """A Func whose storage lives through the whole call, allocated by the runtime."""

    name: str
    elem: Type
    args: tuple[str, ...]
    box: Box
    extents: tuple[Expr, ...]  # with alignment, per coordinate
    storage: tuple[int, ...]  # coordinates, outermost first


@dataclass(frozen=True)
class Stage:
    """One pass over a Func computed at the root; `extent` iterations of its outermost loop `loop`."""

    func: str
    loop: str
    extent: Expr
    parallel: bool
    body: Block


@dataclass(frozen=True)
class LoopNests:
    """All stages, producers first, and what the runtime has to prepare for them."""

    stages: tuple[Stage, ...]
    roots: tuple[Root, ...]
    required: dict[str, Box]
    storages: dict[str, Storage]
    statuses: tuple[str, ...]
    table_bounds: dict[str, Interval]


@dataclass
class _Derived:
    """The loops of a Func over a box: extents per loop, and coordinates as expressions of loop variables."""

    extents: dict[str, Expr] = field(default_factory=dict)
    coords: dict[str, Expr] = field(default_factory=dict)
    box: dict[str, Interval] = field(default_factory=dict)


class LoopNestBuilder:
    """Builds the stages of one pipeline under one resolved schedule."""

    def __init__(self, nest: Nest, strides: dict[str, dict[int, int]], constants: dict[str, int]) -> None:
        self.nest = nest
        self.pipeline: Pipeline = nest.pipeline
        inlined = {n.name for n in nest.funcs.values() if n.inlined}
        self.translator = Translator(inlined, constants)
        tables = {
            name: (self.translator.scalar(t.bounds[0]), self.translator.scalar(t.bounds[1]))
            for name, t in self.pipeline.inputs.items()
            if t.bounds is not None
        }
        self.bounds = Bounds(self.pipeline.inputs, tables)
        self.order = [n.name for n in nest.funcs.values() if not n.inlined]  # producers first
        self.reads = {name: self._reads(self.nest.funcs[name].func) for name in self.order}
        self.order = self._used()
        self.consumers = {name: [c for c in nest.consumers(name) if c in self.order] for name in self.order}
        self.boxes: dict[str, Box] = {}
        self.derived: dict[str, _Derived] = {}
        self.storages: dict[str, Storage] = {}
        self.statuses: list[str] = []
        self.slides: dict[str, int | None] = {}
        self.counter = 0
        self.strides = strides
        self.stage = ""

    # regions

    def _reads(self, func: Func) -> tuple[list[Access], dict[str, Interval]]:
        """All accesses of `func`'s definition, inlined Funcs included, and the ranges of its reductions."""
        ranges: dict[str, Interval] = {}
        found: list[Access] = []
        assert func.value is not None

        def collect(e: Expr) -> None:
            if isinstance(e, Access):
                found.append(e)
            for child in e.children:
                collect(child)

        def on_reduce(node: lang.Reduce, envs: list[Env], owner: Func) -> list[list[Expr]]:
            inner = []
            for env in envs:
                made: Env = dict(env)
                for var in node.domain:
                    name = f"{owner.name}@{var.name}"
                    lo = self.translator.scalar(var.lo)
                    ranges[name] = (lo, maximum(lo, sub(add(lo, self.translator.scalar(var.extent)), ONE)))
                    made[id(var)] = Name(name)
                inner.append(made)
            for value in self.translator.translate(node.value, inner, owner, on_reduce):
                collect(value)
            parts: list[Expr] = [Name(f"{owner.name}@{var.name}") for var in node.domain]
            return [[*parts, Opaque(node.type)] for _ in envs]

        env: Env = {a.name: Name(f"{func.name}@{a.name}") for a in func.args}
        collect(self.translator.translate(func.value, [env], func, on_reduce)[0])
        return list(dict.fromkeys(found)), ranges

    def _used(self) -> list[str]:
        """The Funcs that the output needs: simplification may leave one that is written to be read unread, as f // 0."""
        used = {self.pipeline.output.name}
        for name in reversed(self.order):
            if name in used:
                used |= {access.source for access in self.reads[name][0]}
        return [name for name in self.order if name in used]

    def region(self, name: str, level: Level) -> Box:
        """The box of `name` that its consumers inside one iteration of `level` need."""
        found: list[Interval | None] = [None] * self._ndim(name)
        for consumer in self.consumers[name]:
            accesses, ranges = self.reads[consumer]
            box = self._box_at(consumer, level)
            env = dict(ranges)
            for arg, interval in zip(self.nest.funcs[consumer].func.args, box, strict=True):
                env[f"{consumer}@{arg.name}"] = interval
            for access in accesses:
                if access.source == name:
                    for dim, index in enumerate(access.index):
                        found[dim] = union(found[dim], self.bounds.interval(index, env))
        if any(f is None for f in found):
            raise CompileError(f"Func {name} has no consumer at {level}")
        return self._rounded(name, tuple(f for f in found if f is not None))

    def _ndim(self, name: str) -> int:
        return self.nest.funcs[name].func.ndim

    def _box_at(self, name: str, level: Level) -> Box:
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
        for inner in reversed(loops[loops.index(loop) + 1 :]):
            ranges[_loop_name(name, inner)] = (ZERO, sub(derived.extents[inner], ONE))
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
            box.append((lo, hi if difference_is_zero(hi, most) else minimum(hi, most)))
        return tuple(box)

    def _rounded(self, name: str, box: Box) -> Box:
        """`box` enlarged to whole blocks where a split rounds up."""
        out = list(box)
        for dim, factor in self._round_up(name).items():
            lo, hi = out[dim]
            blocks = ceildiv(add(sub(hi, lo), ONE), factor)
            out[dim] = (lo, sub(add(lo, mul(blocks, const(factor))), ONE))
        return tuple(out)

    def _round_up(self, name: str) -> dict[int, int]:
        """The block size of coordinates that are computed in whole blocks."""
        f = self.nest.funcs[name]
        args = [a.name for a in f.func.args]
        splits = (x for x in f.derivations if isinstance(x, d.Split) and x.tail == "round_up")
        return {args.index(x.var): x.factor for x in splits if x.var in args}

    # loops

    def build(self) -> LoopNests:
        """All stages."""
        roots: list[Root] = []
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
                self.storages[name] = self._external(name, f.func.type, f.func.ndim)
            else:
                box = self.region(name, ROOT)
                known = tuple((Name(f"{name}.{a.name}.lo"), Name(f"{name}.{a.name}.hi")) for a in f.func.args)
                self.boxes[name] = known
                roots.append(self._root(f, box))
        for input_name, source in self.pipeline.inputs.items():
            self.storages[input_name] = self._external(input_name, source.type, source.ndim, constant=True)
        required = self._required()
        stages = tuple(self._stage(name) for name in self.order if self.nest.funcs[name].compute == ROOT)
        tables = dict(self.bounds.table_bounds)
        return LoopNests(stages, tuple(roots), required, self.storages, tuple(self.statuses), tables)

    def _promised(self, arg: str) -> Expr | None:
        extent = self.pipeline.output.bounds.get(arg)
        return None if extent is None else const(extent)

    def _external(self, name: str, elem: Type, ndim: int, constant: bool = False) -> Storage:
        known = self.strides.get(name, {})
        strides = tuple(const(known[i]) if i in known else Name(f"{name}:s{i}") for i in range(ndim))
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

    def _root(self, f: FuncNest, box: Box) -> Root:
        order = self._storage_order(f)
        size = f.func.type.bytes
        strides = tuple(const(size) if i == order[-1] else Name(f"{f.name}:s{i}") for i in range(f.func.ndim))
        origin = tuple(lo for lo, _ in self.boxes[f.name])
        self.storages[f.name] = Storage(f.name, f.func.type, strides, origin, owned=True, root=True)
        return Root(f.name, f.func.type, tuple(a.name for a in f.func.args), box, self._aligned(f, box), order)

    def _required(self) -> dict[str, Box]:
        """The box of every input that the whole call reads."""
        found: dict[str, list[Interval | None]] = {}
        for name in self.order:
            accesses, ranges = self.reads[name]
            env = dict(ranges)
            for arg, interval in zip(self.nest.funcs[name].func.args, self._box_at(name, ROOT), strict=True):
                env[f"{name}@{arg.name}"] = interval
            for access in accesses:
                if access.source in self.pipeline.inputs:
                    box = found.setdefault(access.source, [None] * len(access.index))
                    for dim, index in enumerate(access.index):
                        box[dim] = union(box[dim], self.bounds.interval(index, env))
        return {k: tuple(i for i in v if i is not None) for k, v in found.items()}

    def _stage(self, name: str) -> Stage:
        self.stage = name
        f = self.nest.funcs[name]
        self._derive(f, self.boxes[name])
        body = self._top_storage(f)
        body += self._loops(f, 0)
        first = f.loops[0]
        if first.kind not in ("serial", "parallel"):
            return Stage(name, "", ONE, False, tuple(body))
        extent = self.derived[name].extents[first.name]
        return Stage(name, _loop_name(name, first.name), extent, first.kind == "parallel", tuple(body))

    def _top_storage(self, f: FuncNest) -> list[Stmt]:
        """Storage at the root of Funcs computed inside this stage."""
        out: list[Stmt] = []
        for name in self.order:
            g = self.nest.funcs[name]
            if g.compute != ROOT and g.store == ROOT and self.nest.path(name)[0].func == f.name:
                out += self._reserve(g, ROOT)
        return out

    def _derive(self, f: FuncNest, box: Box) -> None:
        """Loop extents and coordinates of `f` over `box`."""
        derived = _Derived()
        values: dict[str, Expr] = {}
        for arg, (lo, hi) in zip(f.func.args, box, strict=True):
            derived.extents[arg.name] = add(sub(hi, lo), ONE)
            derived.box[arg.name] = (lo, hi)
        for x in f.derivations:
            if isinstance(x, d.Fuse):
                a, b = derived.extents[x.outer], derived.extents[x.inner]
                whole = Name(_loop_name(f.name, x.fused))
                derived.extents[x.fused] = mul(a, b)
                values[x.outer] = algebra.floordiv(whole, b)
                values[x.inner] = algebra.mod(whole, b)
                continue
            extent, factor = derived.extents[x.var], const(x.factor)
            outer, inner = Name(_loop_name(f.name, x.outer)), Name(_loop_name(f.name, x.inner))
            derived.extents[x.outer] = ceildiv(extent, x.factor)
            known = algebra.value_of(extent)
            whole_blocks = x.tail == "round_up" or (known is not None and known % x.factor == 0)
            base = mul(outer, factor)
            size: Expr = factor
            if not whole_blocks and x.tail == "shift_inwards":
                base = minimum(base, maximum(sub(extent, factor), ZERO))
                size = minimum(factor, extent)
            elif not whole_blocks:
                size = minimum(factor, sub(extent, base))
            derived.extents[x.inner] = size
            values[x.var] = add(base, inner)
        # expressions of split and fused loops, down to the loops that exist
        parts = {_loop_name(f.name, v): value for v, value in values.items()}
        resolved: dict[str, Expr] = {}

        def resolve(name: str) -> Expr:
            if name not in resolved:
                value = parts.get(name, Name(name))
                resolved[name] = algebra.substitute(value, {n: resolve(n) for n in names(value) & parts.keys()})
            return resolved[name]

        for name in (*parts, *(_loop_name(f.name, x.name) for x in f.loops)):
            resolve(name)
        for key, extent in derived.extents.items():
            derived.extents[key] = algebra.substitute(extent, resolved)
        for arg, (lo, _) in zip(f.func.args, box, strict=True):
            derived.coords[arg.name] = add(lo, resolved[_loop_name(f.name, arg.name)])
        self.derived[f.name] = derived
        self._check_order(f)

    def _check_order(self, f: FuncNest) -> None:
        """The extent of a loop may depend on loops around it only."""
        outside: set[str] = set()
        mine = {_loop_name(f.name, x.name) for x in f.loops}
        lanes = {_loop_name(f.name, x.name) for x in f.loops if x.kind == "vectorized"}
        for loop in f.loops:
            inner = (names(self.derived[f.name].extents[loop.name]) & mine) - outside
            if inner:
                raise ScheduleError(
                    f"loop {loop.name} of Func {f.name}: its extent depends on loop "
                    f"{sorted(inner)[0].removeprefix(f'{f.name}.')} inside it, because its split has tail guard; "
                    "keep it inside, or use tail shift_inwards"
                )
            if names(self.derived[f.name].extents[loop.name]) & lanes:
                raise ScheduleError(
                    f"loop {loop.name} of Func {f.name}: its extent would differ from lane to lane, because the loop "
                    "that its split made with tail guard is vectorized; vectorize another loop, or use tail shift_inwards"
                )
            outside.add(_loop_name(f.name, loop.name))

    def _loops(self, f: FuncNest, i: int) -> list[Stmt]:
        """Loop number `i` of `f` and what is in it."""
        rest = f.loops[i:]
        if all(loop.kind == "unrolled" for loop in rest):
            return self._jammed(f, rest)
        loop = rest[0]
        name = _loop_name(f.name, loop.name)
        extent = self.derived[f.name].extents[loop.name]
        if loop.kind == "vectorized":
            ragged = not any(
                isinstance(x, d.Split) and x.inner == loop.name and x.tail == "shift_inwards" for x in f.derivations
            )
            body = tuple(self._loops(f, i + 1))
            return [For(name, ZERO, extent, body, "vectorized", loop.lanes, ragged=ragged)]
        body = self._level(Level(f.name, loop.name)) + self._loops(f, i + 1)
        if loop.kind == "unrolled" and algebra.value_of(extent) == loop.lanes and not _reserves(body):
            copies: list[Stmt] = []
            for n in range(loop.lanes):
                copies.append(Let(name, const(n)))
                copies += body
            return copies
        return [For(name, ZERO, extent, tuple(body))]

    def _level(self, level: Level) -> list[Stmt]:
        """What is stored and computed in each iteration of `level`, before the loops inside it."""
        out: list[Stmt] = []
        computed = [n for n in self.order if self.nest.funcs[n].compute == level]
        for name in reversed(computed):
            out += self._bind(self.nest.funcs[name], level)
        for name in self.order:
            if self.nest.funcs[name].store == level:
                out += self._reserve(self.nest.funcs[name], level)
        for name in computed:
            g = self.nest.funcs[name]
            out.append(Comment(f"{name} at {level}"))
            out += self._loops(g, 0)
            slide = self.slides.get(name)
            if slide is not None:
                done = Name(f"{name}:done")
                out.append(Assign(done.name, maximum(done, self.boxes[name][slide][1])))
        return out

    def _bind(self, g: FuncNest, level: Level) -> list[Stmt]:
        """Names for the box of `g` that this iteration needs, and for the part that is not there yet."""
        out: list[Stmt] = []
        box: list[Interval] = []
        for arg, (lo, hi) in zip(g.func.args, self.region(g.name, level), strict=True):
            made: list[Expr] = []
            for end, value in (("lo", lo), ("hi", hi)):
                if isinstance(value, Const):
                    made.append(value)
                else:
                    out.append(Let(f"{g.name}.{arg.name}.{end}", value))
                    made.append(Name(f"{g.name}.{arg.name}.{end}"))
            box.append((made[0], made[1]))
        self.boxes[g.name] = tuple(box)
        fresh = list(box)
        self.slides[g.name] = slide = self._slide(g, level)
        if slide is not None:
            lo, hi = box[slide]
            start = Name(f"{g.name}.{g.func.args[slide].name}.from")
            done = Name(f"{g.name}:done")
            new = minimum(maximum(lo, add(done, ONE)), add(hi, ONE))
            factor = self._round_up(g.name).get(slide)
            if factor is not None:  # whole blocks end with the box only if they begin at a multiple of them
                new = add(lo, mul(algebra.floordiv(sub(new, lo), const(factor)), const(factor)))
            out.append(Let(start.name, new))
            fresh[slide] = (start, hi)
        self._derive(g, tuple(fresh))
        return out

    def _slide(self, g: FuncNest, level: Level) -> int | None:
        """The coordinate along which iterations of `level` can leave out what earlier ones computed."""
        if g.store == g.compute or not self._directly_inside(g):
            return None
        loop = _loop_name(level.func, level.var)
        region = self.region(g.name, level)
        moving = [i for i, (lo, hi) in enumerate(region) if loop in (names(lo) | names(hi))]
        if len(moving) > 1:
            return None
        slide = moving[0] if moving else 0
        return slide if self.bounds.nondecreasing(region[slide][0], loop) else None

    def _directly_inside(self, g: FuncNest) -> bool:
        path = self.nest.path(g.name)
        between = path[path.index(g.store) + 1 :] if g.store != ROOT else path
        return len(between) == 1

    def _reserve(self, g: FuncNest, level: Level) -> list[Stmt]:
        """Storage of `g` for one iteration of `level`."""
        out: list[Stmt] = []
        args = [a.name for a in g.func.args]
        box = self.boxes[g.name] if g.store == g.compute else self.region(g.name, level)
        named: list[Interval] = []
        for arg, (lo, hi) in zip(args, box, strict=True):
            if g.store == g.compute or isinstance(lo, Const):
                named.append((lo, hi))
            else:
                out.append(Let(f"{g.name}.{arg}.origin", lo))
                named.append((Name(f"{g.name}.{arg}.origin"), hi))
        extents = list(self._aligned(g, tuple(named)))
        fold = None
        if g.folds:
            dim = args.index(g.folds[0].var)
            factor, stmts = self._fold(g, g.folds[0], dim)
            out += stmts
            fold = (dim, factor, not g.folds[0].factor or not g.folds[0].factor & (g.folds[0].factor - 1))
            extents[dim] = factor
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
            g.name, g.func.type, tuple(strides), tuple(lo for lo, _ in named), fold, owned=True
        )
        if g.store != g.compute:
            out.append(Assign(f"{g.name}:done", const(-(1 << 62))))
        return out

    def _fold(self, g: FuncNest, x: d.FoldStorage, dim: int) -> tuple[Expr, list[Stmt]]:
        """The fold factor: the largest window of any iteration of the loop that computes, found by looking at all."""
        if not self._directly_inside(g):
            raise ScheduleError(
                f"{x} of Func {g.name}: it must be computed in the loop just inside where it is stored ({g.store}), "
                f"not at {g.compute}"
            )
        if g.compute.func not in self.derived:
            raise ScheduleError(f"{x} of Func {g.name}: store it at a loop of {g.compute.func}, where it is computed")
        loop = _loop_name(g.compute.func, g.compute.var)
        lo, hi = self.region(g.name, g.compute)[dim]
        window = add(sub(hi, lo), ONE)
        need = Name(f"{g.name}.{x.var}.window")
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
        factor = Name(f"{g.name}.{x.var}.fold")
        out.append(Let(factor.name, Unary("next_power_of_two", need)))
        return factor, out

    # values

    def _jammed(self, f: FuncNest, loops: tuple[Loop, ...]) -> list[Stmt]:
        """The innermost body, once for each combination of the unrolled loops around it."""
        extents = [self.derived[f.name].extents[x.name] for x in loops]
        ranges = {_loop_name(f.name, x.name): (ZERO, const(x.lanes - 1)) for x in loops}
        partial = [
            Binary("le", const(x.lanes), self.bounds.interval(e, ranges)[0])
            for x, e in zip(loops, extents, strict=True)
            if algebra.value_of(e) != x.lanes
        ]
        whole = self._leaf(
            f,
            [
                {_loop_name(f.name, x.name): const(n) for x, n in zip(loops, at, strict=True)}
                for at in product(*(range(x.lanes) for x in loops))
            ],
        )
        if not partial:
            return whole
        rest = self._leaf(f, [{}])
        for x, extent in zip(reversed(loops), reversed(extents), strict=True):
            rest = [For(_loop_name(f.name, x.name), ZERO, extent, tuple(rest))]
        condition: Expr = partial[0]
        for p in partial[1:]:
            condition = Binary("and", condition, p)
        return [If(condition, tuple(whole), tuple(rest))]

    def _leaf(self, f: FuncNest, instances: list[dict[str, Expr]]) -> list[Stmt]:
        """Compute and put the values of `f` for each instance of its unrolled loops."""
        out: list[Stmt] = []
        coords = self.derived[f.name].coords
        envs: list[Env] = [{a.name: algebra.substitute(coords[a.name], at) for a in f.func.args} for at in instances]
        assert f.func.value is not None
        self.translator.strategies = dict(f.loads)
        reducer = _Reducer(self, f, out)
        values = self.translator.translate(f.func.value, envs, f.func, reducer.emit)
        for env, value in zip(envs, values, strict=True):
            out.append(Put(f.name, tuple(env[a.name] for a in f.func.args), value))
        return out

    def fresh(self, hint: str) -> str:
        """A name that nothing else has."""
        self.counter += 1
        return f".{hint}.{self.counter}"


class _Reducer:
    """Emits the loops of reductions into a list of statements."""

    def __init__(self, builder: LoopNestBuilder, f: FuncNest, out: list[Stmt]) -> None:
        self.builder = builder
        self.f = f
        self.out = out

    def emit(self, node: lang.Reduce, envs: list[Env], owner: Func) -> list[list[Expr]]:
        """One loop nest that reduces `node` for all instances."""
        f = self.f
        places = {v.name: f.reduction_order.get(v.name, i) for i, v in enumerate(node.domain)}
        order = sorted(node.domain.vars, key=lambda v: places[v.name])
        is_arg = node.op.startswith("arg")
        results: list[list[Expr]] = []
        loops: list[tuple[lang.RVar, Expr, Expr]] = []
        for var in order:
            lo, extent = self.builder.translator.scalar(var.lo), self.builder.translator.scalar(var.extent)
            loops.append((var, lo, extent))
        # the terms, translated once to see which instances share an accumulator
        inner = [self._bound(env, {id(v): Name(_loop_name(owner.name, v.name)) for v in order}) for env in envs]
        probe: list[Stmt] = []
        terms = self.builder.translator.translate(node.value, inner, owner, _Reducer(self.builder, f, probe).emit)
        slots: list[int] = []
        distinct: list[int] = []
        seen: dict[Expr, int] = {}
        for n, term in enumerate(terms):
            if term not in seen or probe:
                seen[term] = len(distinct)
                distinct.append(n)
            slots.append(seen[term])
        made = []
        for _ in distinct:
            best = Name(self.builder.fresh(node.op), node.type, data=True)
            parts = [Name(self.builder.fresh(f"at_{v.name}")) for v in node.domain] if is_arg else []
            for part, var in zip(parts, node.domain, strict=False):
                self.out.append(Assign(part.name, self.builder.translator.scalar(var.lo)))
            self.out.append(Assign(best.name, Const(initial(node.op, node.type), node.type)))
            made.append((best, parts))
        chosen = [envs[n] for n in distinct]
        self.out += self._nest(node, chosen, owner, loops, 0, {}, made)
        for slot in slots:
            best, parts = made[slot]
            results.append([*parts, best])
        return results

    @staticmethod
    def _bound(env: Env, more: Mapping[int, Expr]) -> Env:
        merged: Env = dict(env)
        for key, value in more.items():
            merged[key] = value
        return merged

    def _nest(
        self, node: lang.Reduce, envs: list[Env], owner: Func, loops: list[tuple[lang.RVar, Expr, Expr]], i: int,
        at: dict[int, Expr], made: list[tuple[Name, list[Name]]],
    ) -> list[Stmt]:  # fmt: skip
        if i == len(loops):
            return self._body(node, envs, owner, at, made)
        var, lo, extent = loops[i]
        name = _loop_name(owner.name, var.name)
        unroll = self.f.reduction_unroll.get(var.name, 1)
        lanes = self.f.reduction_lanes.get(var.name, 1)

        def inside(value: Expr) -> list[Stmt]:
            return self._nest(node, envs, owner, loops, i + 1, {**at, id(var): value}, made)

        known = algebra.value_of(extent)
        if unroll > 1 and known is not None and known <= unroll and lanes == 1:
            return [s for n in range(known) for s in inside(add(lo, const(n)))]
        if unroll > 1 and lanes == 1:
            whole = mul(algebra.floordiv(extent, const(unroll)), const(unroll))
            copies = tuple(s for n in range(unroll) for s in inside(add(Name(name), const(n))))
            return [
                For(name, lo, whole, copies, step=unroll),
                For(name, add(lo, whole), sub(extent, whole), tuple(inside(Name(name)))),
            ]
        kind = "reduction" if lanes > 1 and i == len(loops) - 1 else "serial"
        return [For(name, lo, extent, tuple(inside(Name(name))), kind, lanes)]  # type: ignore[arg-type]

    def _body(
        self, node: lang.Reduce, envs: list[Env], owner: Func, at: dict[int, Expr],
        made: list[tuple[Name, list[Name]]],
    ) -> list[Stmt]:  # fmt: skip
        body: list[Stmt] = []
        inner = [self._bound(env, at) for env in envs]
        nested = _Reducer(self.builder, self.f, body)
        terms = self.builder.translator.translate(node.value, inner, owner, nested.emit)
        for (best, parts), term in zip(made, terms, strict=True):
            op = node.op.removeprefix("arg")
            if parts:
                better = Binary("lt", best, term) if op == "max" else Binary("lt", term, best)
                if len(parts) > 1 or not isinstance(term, (Name, Const)):
                    flag = Name(self.builder.fresh("better"), b1)
                    body.append(Let(flag.name, better))
                    better_expr: Expr = flag
                else:
                    better_expr = better
                for part, var in zip(parts, node.domain, strict=True):
                    body.append(Assign(part.name, Select(better_expr, at[id(var)], part)))
            combine = {"sum": "add", "product": "mul"}.get(op, op)
            value = algebra.make(combine, best, term) if best.elem == i64 and combine in ("add", "mul") else None
            body.append(Assign(best.name, value or Binary(combine, best, term)))
        return body


def _loop_name(func: str, loop: str) -> str:
    return f"{func}.{loop}"


def _reserves(body: list[Stmt]) -> bool:
    from autosched.lower.ir import statements

    return any(isinstance(s, Reserve) for s in statements(tuple(body)))


def difference_is_zero(a: Expr, b: Expr) -> bool:
    """Whether two coordinates are always equal."""
    return algebra.difference(a, b) == 0


__all__ = ["SLACK", "Box", "Input", "LoopNestBuilder", "LoopNests", "Root", "Stage", "Storage"]
