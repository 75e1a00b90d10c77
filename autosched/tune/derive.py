"""A search space for a pipeline that has no file, from the algorithm alone.

The output is cut into strips that threads share, and those into tiles; every other Func is inlined, or computed at the
root, in a strip, in a tile, or in a row, stored there or in a window of its rows that slides. Each has lanes, a tail,
an unroll factor and, with three coordinates or more, a choice of the innermost one; what is stored may begin every row
with a line of the cache. The output goes through the caches, where the lines of its next row are prefetched, or past
them.

Where rows read the same, as those of a stencil do, some may be computed at once. Where a Func reduces, rows and blocks
of lanes share the loops of its reductions, so that what is read once serves them all. These loops are written out where
they are short, or a few turns at a time. Where the order of terms does not change the value, it is a choice, and so is
how many terms are taken at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from autosched.lang import Pipeline
from autosched.lang.expr import Binary, Const, Expr, Extent, Read, Reduce, RVar, Var, walk
from autosched.lang.func import Func, Input, sources
from autosched.lang.sizes import too_large_inlined
from autosched.schedule.func_nest import commutes, reductions
from autosched.tune.constraints import ALWAYS, AtMost, Condition, Constraint, Forbid, Point, Value
from autosched.tune.space import Knob, Ref, Space, Template

#: Where a Func is computed, from the outside in; what is inlined is computed where its consumers are.
PLACES = ("inline", "root", "strip", "tile", "row", "sliding")
_DEPTH: dict[Value, float] = {"root": 0, "strip": 1, "tile": 2, "row": 3, "sliding": 3}
#: Operations of a definition, all inlined, beyond which it explodes, as a pyramid does, by 16 times with every level;
#: and how many inlining makes of one at most in a pipeline that explodes.
_EXPLODES, _MOST_INLINED = 1000, 250
#: Pipelines with more Funcs than this leave out tiles, so that points can still be counted.
_MANY = 6

STRIPS = (1, 4, 8, 16, 32, 64)
#: Where rows come in blocks that share the loops of reductions; each of them is much to compute.
STRIPS_OF_BLOCKS = (1, 2, 4, 8, 16)
TILES = (0, 32, 64, 128, 256)
#: The most are for elements of one or two bytes.
LANES = (0, 4, 8, 16, 32, 64)
UNROLLS = (1, 2, 4)

#: Rows that are computed at once where they read the same.
STENCIL_ROWS = (1, 2, 4)
#: Rows that share the loops of a reduction, and blocks of lanes; together at most as many as there are registers.
ROWS = (1, 2, 4, 6, 8, 12, 14)
_ACCUMULATORS = 28
#: Those of both that are worth trying, and the bytes of a vector, which are those of a line of the cache too.
_BLOCKS = ((14, 2), (12, 2), (8, 2), (6, 4))
_VECTOR = 64
#: Turns of a reduction's innermost loop that are written out, where its length is not known.
TURNS = (1, 2, 4, 8)
#: Up to this length it may be written out whole.
_SHORT = 16
#: How what does not lie next to each other is read; nothing is said of it by default.
LOADS = ("default", "pick", "gather", "permute64", "permute128")
#: Terms of a reduction that are taken at once, where their order is free: in dot products, or in lanes of their own.
TERMS = (0, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Enclosed:
    """A Func is computed in loops around all of its consumers: `consumers` of it, and of those that may be inlined."""

    func: str
    consumers: tuple[tuple[str, tuple[str, ...]], ...]
    output: str

    @property
    def knobs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_at(name) for name, _ in self.consumers))

    def holds(self, point: Point) -> bool:
        where = point[_at(self.func)]
        return where == "inline" or self.known(point) >= _DEPTH[where]

    def known(self, point: Point) -> float:
        """The depth of the outermost consumer, of those whose place is known: all that others may leave to choose."""
        consumers, depths = dict(self.consumers), {self.output: math.inf}

        def depth(func: str) -> float:
            if func not in depths:
                where = point[_at(func)]
                depths[func] = min(map(depth, consumers[func])) if where == "inline" else _DEPTH[where]
            return depths[func]

        placed = (c for c in consumers[self.func] if c == self.output or _at(c) in point)
        return min(map(depth, placed), default=math.inf)

    def __str__(self) -> str:
        return f"{self.func} is computed around what reads it"


def derive(pipeline: Pipeline) -> Space:
    """The space of a pipeline. Every point is a legal schedule.

    None computes more of what is read of Inputs than they have, unless the pipeline itself does. Where definitions
    would explode, the Funcs that make most of them are inlined at no point, and at the root by default.
    """
    output = pipeline.output
    parts = _Parts(pipeline)
    _output(output, parts)
    readers = {f.name: tuple(g.name for g in pipeline.funcs if f in sources(g)) for f in pipeline.funcs}
    along = {axis: _along(output, axis) for axis in _axes(output)}
    explodes = too_large_inlined(pipeline, _EXPLODES)
    too_large = too_large_inlined(pipeline, _MOST_INLINED) if explodes else set()
    for func in reversed(pipeline.funcs[:-1]):
        places = [p for p in PLACES if _possible(p, len(output.args), len(pipeline.funcs))]
        if func.name in too_large:
            places.remove("inline")
        default = "root" if func.reduces or func.name in too_large else "inline"
        parts.knob(_at(func.name), tuple(places), default, summary=f"where {func.name} is computed")
        parts.constraints.append(Enclosed(func.name, tuple(_downstream(func.name, readers)), output.name))
        if "tile" in places:
            parts.forbid(**{_at(func.name): "tile", "tile": 0})
        _producer(func, output, places, along, parts)
    _loads(pipeline, parts)
    space = Space(pipeline.name, tuple(parts.knobs), tuple(parts.constraints), tuple(parts.templates))
    return replace(space, named=_worth_trying(output, space))


def _worth_trying(output: Func, space: Space) -> dict[str, Point]:
    """Points of an output that reduces, whose sums fill the registers: whole vectors, by rows along each coordinate."""
    if not _reduced(output) or len(output.args) < 2:
        return {}
    axes, lanes = next(knob.choices for knob in space.knobs if knob.name == "axis"), _VECTOR // output.type.bytes
    default = space.default()
    fixed = {"inner": default["inner"], "lanes": lanes, "tail": "shift_inwards"}
    found: dict[str, Point] = {}
    for axis in axes:
        for rows, unroll in _BLOCKS:
            blocks = {**fixed, "axis": axis, "rows": rows, "unroll": unroll}
            point = space.nearest({**default, **blocks})
            if all(point.get(name) == value for name, value in blocks.items()):
                found[f"{rows} rows of {unroll} vectors along {axis}"] = point
    return found


class _Names:
    """Names of loops that no coordinate has."""

    def __init__(self, pipeline: Pipeline) -> None:
        taken = {a.name for f in pipeline.funcs for a in f.args}
        taken |= {v.name for f in pipeline.funcs for node in _reduced(f) for v in node.domain}
        made = {n: n for n in ("strip", "rows", "row", "shared", "tile", "col", "block", "blocko", "blocki", "lane")}
        for name in made:
            while made[name] in taken:
                made[name] += "x"
        self.strip, self.rows, self.row, self.shared, self.tile, self.col, *lanes = made.values()
        self.block, self.around, self.written, self.lane = lanes


class _Parts:
    """The parts that a space is put together from."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.names = _Names(pipeline)
        self.funcs = {f.name for f in pipeline.funcs}
        self.knobs: list[Knob] = []
        self.constraints: list[Constraint] = []
        self.templates: list[Template] = []

    def knob(
        self, name: str, choices: tuple[Value, ...], default: Value, when: Condition = ALWAYS, summary: str = ""
    ) -> None:
        self.knobs.append(Knob(name, choices, default, when, summary))

    def forbid(self, **terms: Any) -> None:
        self.constraints.append(Forbid(_is(**terms)))

    def add(self, func: Func, op: str, when: Condition, /, **arguments: Any) -> None:
        """A directive of `func`."""
        self.templates.append(Template(func.name, op, tuple(arguments.items()), when))


def _reduced(func: Func) -> list[Reduce]:
    """The reductions of a definition itself."""
    assert func.value is not None
    return [node for node in walk(func.value) if isinstance(node, Reduce)]


def _at(func: str) -> str:
    return f"{func}_at"


def _possible(place: str, ndim: int, funcs: int) -> bool:
    if place == "strip":
        return ndim >= 1
    if place == "tile":
        return ndim >= 2 and funcs <= _MANY
    return place in ("inline", "root") or ndim >= 2


def _downstream(func: str, readers: dict[str, tuple[str, ...]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`func` and everything between it and the output, with their consumers."""
    left, seen = [func], set()
    while left:
        name = left.pop()
        if name not in seen and readers[name]:
            seen.add(name)
            yield name, readers[name]
            left.extend(readers[name])


def _is(**terms: Any) -> Condition:
    """Each knob has the value, or one of the values of a tuple."""
    return Condition(tuple((k, v if isinstance(v, tuple) else (v,)) for k, v in terms.items()))


def _both(*conditions: Condition) -> Condition:
    return Condition(tuple(term for c in conditions for term in c.terms))


def _some(choices: tuple[int, ...]) -> tuple[Value, ...]:
    return tuple(c for c in choices if c > 1)


def _axes(output: Func) -> tuple[str, ...]:
    """The coordinates of the output that strips may be cut of; of two, the last one has the lanes."""
    args = tuple(a.name for a in output.args)
    return args[:-1] if len(args) == 2 else args


def _output(func: Func, parts: _Parts) -> None:
    args, names = [a.name for a in func.args], parts.names
    reduces = bool(_reduced(func))
    inner = tuple(args[:-3:-1]) if len(args) > 2 else (args[-1],)
    axes = _axes(func)
    shares = len(args) > 1 and (reduces or any(_overlaps(func, axis) for axis in axes))
    if reduces and len(args) > 1:
        parts.knob("strips", STRIPS_OF_BLOCKS, 4, summary="blocks of rows that a thread takes at a time")
    else:
        parts.knob("strips", STRIPS, 16, summary="rows that a thread takes at a time")
    if len(args) == 1:
        parts.add(func, "split", ALWAYS, var=args[0], outer=names.strip, inner=names.row, factor=Ref("strips"))
        _lanes(func, ((names.row, ALWAYS),), ALWAYS, parts, prefix="", shares=False)
    else:
        parts.knob("axis", axes, axes[0], summary="coordinate that is cut into strips")
        parts.knob("inner", inner, inner[0], summary="innermost coordinate, which has the lanes")
        parts.knob("tile", TILES, 0, summary="columns of a tile; 0 makes none")
        parts.knob("order", ("rows", "rest"), "rows", summary="outside within a tile: its rows, or the rest")
        for name in axes:
            if name in inner:
                parts.forbid(axis=name, inner=name)
        if shares:
            _shared_rows(func, tuple((axis, _is(axis=axis)) for axis in axes), ALWAYS, parts, prefix="")
            parts.add(func, "split", ALWAYS, var=names.rows, outer=names.strip, inner=names.row, factor=Ref("strips"))
        else:
            for axis in axes:
                chosen = _is(axis=axis)
                parts.add(func, "split", chosen, var=axis, outer=names.strip, inner=names.row, factor=Ref("strips"))
        shared = [names.shared] if shares else []
        for last in inner:
            when = _is(inner=last, tile=_some(TILES))
            parts.add(func, "split", when, var=last, outer=names.tile, inner=names.col, factor=Ref("tile"))
        for axis in axes:
            for last in inner:
                if axis == last:
                    continue
                rest = [a for a in args if a not in (axis, last)]
                for order in ("rows", "rest"):
                    middle = [names.row, *rest, *shared] if order == "rows" else [*rest, names.row, *shared]
                    chosen = _is(axis=axis, inner=last, order=order)
                    parts.add(func, "reorder", _both(chosen, _is(tile=0)), vars=(names.strip, *middle, last))
                    tiled = (names.strip, names.tile, *middle, names.col)
                    parts.add(func, "reorder", _both(chosen, _is(tile=_some(TILES))), vars=tiled)
        loops = [(names.col, _is(tile=_some(TILES))), *((last, _is(tile=0, inner=last)) for last in inner)]
        _lanes(func, tuple(loops), ALWAYS, parts, prefix="", shares=shares)
    _reductions(func, "", parts)
    parts.knob("parallel", ("strips", "none"), "strips", summary="what is dealt to threads")
    parts.add(func, "parallel", _is(parallel="strips"), var=names.strip)
    vectors = _is(lanes=_some(LANES))
    stores = ("cached", "fetched", "streamed")
    parts.knob("stores", stores, "cached", vectors, "through the caches, where lines are prefetched, or past")
    parts.add(func, "stream", _is(stores="streamed"))
    around = names.strip if len(args) == 1 else names.row
    parts.add(func, "prefetch_stores", _is(stores="fetched"), loop=around)


def _producer(
    func: Func, output: Func, places: list[str], along: dict[str, dict[str, set[str]]], parts: _Parts
) -> None:
    """`along` has, for each axis of the output, the coordinates of Funcs that move with it."""
    names, at = parts.names, _at(func.name)
    if "inline" in places:
        parts.add(func, "inline", _is(**{at: "inline"}))
    parts.add(func, "compute_root", _is(**{at: "root"}))
    for place, loops in (("strip", names.strip), ("tile", names.tile), ("row", names.row), ("sliding", names.row)):
        if place in places:
            parts.add(func, "compute_at", _is(**{at: place}), func=output.name, var=loops)
    if "sliding" in places:
        parts.add(func, "store_at", _is(**{at: "sliding", "tile": 0}), func=output.name, var=names.strip)
        parts.add(func, "store_at", _is(**{at: "sliding", "tile": _some(TILES)}), func=output.name, var=names.tile)
        for axis, moving in along.items():
            if len(moving.get(func.name, ())) == 1:
                folded = _is(**{at: "sliding", "axis": axis, "order": "rows"})
                parts.add(func, "fold_storage", folded, var=min(moving[func.name]))
    args, prefix = [a.name for a in func.args], f"{func.name}_"
    computed = _is(**{at: tuple(p for p in places if p != "inline")})
    loops_of: list[tuple[str, Condition]] = [(args[-1], ALWAYS)]
    above: list[tuple[str, Condition]] = [(name, ALWAYS) for name in args[-2:-1]]
    if len(args) > 2:
        inner, outer = args[-1], args[-2]
        knob = f"{prefix}inner"
        parts.knob(knob, (inner, outer), inner, computed, f"innermost coordinate of {func.name}")
        parts.add(func, "reorder", _is(**{knob: outer}), vars=(inner, outer))
        loops_of = [(name, _is(**{knob: name})) for name in (inner, outer)]
        above = [(outer, _is(**{knob: inner})), (inner, _is(**{knob: outer}))]
    shares = (bool(_reduced(func)) and bool(above)) or any(_overlaps(func, name) for name, _ in above)
    if shares:
        _shared_rows(func, tuple(above), computed, parts, prefix)
    _lanes(func, tuple(loops_of), computed, parts, prefix, shares)
    if len(args) > 1:
        line = _VECTOR // func.type.bytes
        knob = f"{prefix}align"
        parts.knob(knob, (1, line), 1, computed, f"elements that a row of {func.name} is stored in multiples of")
        parts.add(func, "align_storage", _is(**{knob: line}), var=args[-1], multiple=line)
        outermost = names.rows if shares and len(args) == 2 else args[0]
        parts.add(func, "parallel", _is(**{at: "root"}), var=outermost)
    _reductions(func, prefix, parts, computed)


def _shared_rows(
    func: Func, loops: tuple[tuple[str, Condition], ...], when: Condition, parts: _Parts, prefix: str
) -> None:
    """Rows of a Func that share reads, or its reductions' loops: blocks of one of `loops`, the last one moved back."""
    knob, names = f"{prefix}rows", parts.names
    if _reduced(func):
        parts.knob(knob, ROWS, 4, when, f"rows of {func.name} that share the loops of its reductions")
    else:
        parts.knob(knob, STENCIL_ROWS, 1, when, f"rows of {func.name} that are computed at once")
    for var, chosen in loops:
        parts.add(
            func, "split", _both(when, chosen),
            var=var, outer=names.rows, inner=names.shared, factor=Ref(knob), tail="shift_inwards",
        )  # fmt: skip
    parts.add(func, "unroll", when, var=names.shared, factor=Ref(knob))


def _lanes(
    func: Func, loops: tuple[tuple[str, Condition], ...], when: Condition, parts: _Parts, prefix: str, shares: bool
) -> None:
    """Lanes of the innermost loop, which is one of `loops`; blocks of lanes that are written out; the last block.

    Where the Func reduces, the blocks that are written out are innermost: one loop of the reduction is for all. Rows
    that it `shares` with are in there too.
    """
    lanes, tail, unroll, names = f"{prefix}lanes", f"{prefix}tail", f"{prefix}unroll", parts.names
    reduces = bool(_reduced(func))
    some = _is(**{lanes: _some(LANES)})
    choices = LANES if func.type.bytes <= 2 else LANES[:-1]
    parts.knob(lanes, choices, 16, when, f"elements of {func.name} that are computed at once; 0 is one by one")
    other = "round_up" if prefix and _guarded(func) else "shift_inwards" if not prefix or reduces else None
    last: Any = "guard"
    if other:
        past = {"round_up": "computed past the end", "shift_inwards": "shifted back"}[other]
        last, summary = Ref(tail), f"how the last partial vector of {func.name} is handled: masked, or {past}"
        parts.knob(tail, ("guard", other), other if reduces else "guard", some, summary)
    parts.knob(unroll, UNROLLS, 1, some, f"blocks of lanes of {func.name} that are written out")
    for var, chosen in loops:
        parts.add(
            func, "split", _both(some, chosen),
            var=var, outer=names.block, inner=names.lane, factor=Ref(lanes), tail=last,
        )  # fmt: skip
    parts.add(func, "vectorize", some, var=names.lane, lanes=Ref(lanes))
    many = _is(**{unroll: _some(UNROLLS)})
    if shares:
        for var, chosen in loops:
            parts.add(func, "reorder", _both(_is(**{lanes: 0}), chosen), vars=(var, names.shared))
    if not reduces:
        if shares:
            parts.add(func, "reorder", some, vars=(names.block, names.lane, names.shared))
        parts.add(func, "unroll", many, var=names.block, factor=Ref(unroll))
        return
    # lanes that depend on the block, as those of a block cut short do, cannot be outside of it
    parts.forbid(**{unroll: _some(UNROLLS), tail: "guard"})
    parts.add(func, "split", many, var=names.block, outer=names.around, inner=names.written, factor=Ref(unroll))
    parts.add(func, "unroll", many, var=names.written, factor=Ref(unroll))
    if not shares:
        parts.add(func, "reorder", many, vars=(names.lane, names.written))
        return
    parts.constraints.append(AtMost((f"{prefix}rows", unroll), _ACCUMULATORS))
    parts.add(func, "reorder", many, vars=(names.around, names.lane, names.shared, names.written))
    parts.add(func, "reorder", _both(some, _is(**{unroll: 1})), vars=(names.block, names.lane, names.shared))


def _reductions(func: Func, prefix: str, parts: _Parts, when: Condition = ALWAYS) -> None:
    """The loops of a Func's reductions: their order, terms that are taken at once, turns that are written out."""
    seen: set[str] = set()
    for node in _reduced(func):
        coords = [v.name for v in node.domain]
        if seen & set(coords):
            continue
        seen |= set(coords)
        last, over = coords[-1], f"the reduction over {', '.join(coords)}"
        terms, free = f"{prefix}{last}_terms", _free(func, node, parts.funcs)
        # what makes a coordinate the innermost one
        innermost: dict[str, dict[str, str]] = {last: {}}
        if free:
            if len(coords) > 1:
                knob = f"{prefix}{last}_inner"
                innermost = {name: {knob: name} for name in reversed(coords)}
                parts.knob(knob, tuple(innermost), last, when, f"innermost coordinate of {over}")
                for name in coords[:-1]:
                    order = (*(c for c in coords if c != name), name)
                    parts.add(func, "reorder", _is(**innermost[name]), vars=order)
            summary = f"terms of {over} that are taken at once, along the innermost coordinate; 0 is one by one"
            parts.knob(terms, TERMS, 0, when, summary)
            for name, inside in innermost.items():
                parts.add(func, "vectorize", _is(**{terms: _some(TERMS)}, **inside), var=name, lanes=Ref(terms))
        for var in node.domain:
            knob, turns, chosen = f"{prefix}{var.name}_unroll", _turns(var), innermost.get(var.name)
            known = isinstance(var.extent, Const)
            if len(turns) == 1 or (chosen is None and not known):
                continue
            active = when if known or chosen is None else _both(when, _is(**chosen))
            parts.knob(knob, turns, 1, active, f"turns of the loop over {var.name} that are written out")
            parts.add(func, "unroll", _is(**{knob: turns[1:]}), var=var.name, factor=Ref(knob))
            if free and chosen is not None:  # what is taken at once has no turns
                parts.forbid(**{terms: _some(TERMS), knob: turns[1:]}, **chosen)


def _loads(pipeline: Pipeline, parts: _Parts) -> None:
    """Ways to read Inputs whose elements do not lie next to each other where neighbours read them."""
    reads = [(func, read) for func in pipeline.funcs for read in _reads(func)]
    for name in dict.fromkeys(read.source.name for func, read in reads if _scattered(read, func.args[-1])):
        knob = f"{name}_loads"
        parts.knob(knob, LOADS, "default", summary=f"how scattered elements of {name} are read into lanes")
        for func in pipeline.funcs:  # those that are inlined are read by others
            if func is pipeline.output:
                computed = ALWAYS
            else:
                computed = _is(**{_at(func.name): tuple(place for place in PLACES if place != "inline")})
            parts.add(func, "loads", _both(computed, _is(**{knob: LOADS[1:]})), source=name, strategy=Ref(knob))


def _overlaps(func: Func, arg: str, seen: set[tuple[str, str]] | None = None) -> bool:
    """Whether neighbours along `arg` read some of the same, where all that can be is computed with its readers."""
    seen = set() if seen is None else seen
    if (func.name, arg) in seen:
        return False
    seen.add((func.name, arg))
    at: dict[tuple[str, int], str] = {}
    for read, dim in _moving_reads(func, arg):
        if at.setdefault((read.source.name, dim), str(read.index[dim])) != str(read.index[dim]):
            return True
        if isinstance(read.source, Func) and _overlaps(read.source, read.source.args[dim].name, seen):
            return True
    return False


def _along(output: Func, axis: str) -> dict[str, set[str]]:
    """The coordinates of each Func that move with one of the output."""
    found: dict[str, set[str]] = {}
    left = [(output, axis)]
    while left:
        func, arg = left.pop()
        if arg in found.setdefault(func.name, set()):
            continue
        found[func.name].add(arg)
        left += [
            (read.source, read.source.args[dim].name)
            for read, dim in _moving_reads(func, arg)
            if isinstance(read.source, Func)
        ]
    return found


def _moving_reads(func: Func, arg: str) -> Iterator[tuple[Read, int]]:
    """Reads in a definition itself, and their coordinates that move with one of its own."""
    assert func.value is not None
    (var,) = (a for a in func.args if a.name == arg)
    for node in walk(func.value):
        if isinstance(node, Read):
            for dim, index in enumerate(node.index):
                if _moves(index, var):
                    yield node, dim


def _reads(func: Func) -> list[Read]:
    """Reads of Inputs in a definition itself."""
    assert func.value is not None
    return [node for node in walk(func.value) if isinstance(node, Read) and isinstance(node.source, Input)]


def _scattered(read: Read, last: Var) -> bool:
    """Whether neighbours along `last` read what does not lie next to each other, as far as the algorithm says."""
    moving = [_moves(index, last) for index in read.index]
    return any(moving[:-1]) or (moving[-1] and not _next_to(read.index[-1], last))


def _next_to(index: Expr, last: Var) -> bool:
    """Whether an index is `last` and something that is the same for all neighbours."""
    if index is last:
        return True
    if not (isinstance(index, Binary) and index.op in ("add", "sub")):
        return False
    if _moves(index.b, last):
        return index.op == "add" and not _moves(index.a, last) and _next_to(index.b, last)
    return _next_to(index.a, last)


def _moves(index: Expr, last: Var) -> bool:
    return any(node is last for node in walk(index))


def _free(func: Func, node: Reduce, inlined: set[str]) -> bool:
    """Whether the order of terms changes no value that is reduced over the domain, in what may be inlined neither."""
    over = [other for other in reductions(func, inlined) if set(other.domain) & set(node.domain)]
    return all(commutes(other) for other in over)


def _turns(var: RVar) -> tuple[int, ...]:
    """Numbers of turns of the loop over `var` that may be written out."""
    if isinstance(var.extent, Const):
        return (1, int(var.extent.value)) if 1 < var.extent.value <= _SHORT else (1,)
    return TURNS


def _guarded(func: Func) -> bool:
    """Whether more of `func` can be computed than is needed, because nothing is read beside an Input for that."""
    inside = all(_clamped(index, read.source, dim) for read in _reads(func) for dim, index in enumerate(read.index))
    return inside and all(_guarded(source) for source in sources(func) if isinstance(source, Func))


def _clamped(index: Expr, source: object, dim: int) -> bool:
    """Whether an index of an Input is at most its last, whatever the coordinates are."""
    if not any(isinstance(node, Var) for node in walk(index)):
        return True
    if isinstance(index, Binary) and index.op == "max":
        return all(_clamped(e, source, dim) for e in (index.a, index.b))
    if isinstance(index, Binary) and index.op == "min":
        return any(_clamped(e, source, dim) or _is_last(e, source, dim) for e in (index.a, index.b))
    return False


def _is_last(e: Expr, source: object, dim: int) -> bool:
    if not (isinstance(e, Binary) and e.op == "sub" and isinstance(e.a, Extent) and isinstance(e.b, Const)):
        return False
    return e.a.source is source and e.a.dim == dim and e.b.value >= 1
