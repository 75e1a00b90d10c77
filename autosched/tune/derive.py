"""A search space for a pipeline that has no file, from the algorithm alone.

The output is cut into strips that threads share, and those into tiles; every other Func is inlined, or computed at the
root, in a strip, in a tile, or in a row, stored there or slid along the rows. Each has lanes, a tail, an unroll factor
and, with three coordinates or more, a choice of the innermost one. The output goes through the caches, where the lines
of its next row are fetched early, or past them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from autosched.lang import Pipeline
from autosched.lang.expr import Binary, Const, Expr, Extent, Read, Var, walk
from autosched.lang.func import Func, Input, sources
from autosched.tune.constraints import ALWAYS, Condition, Constraint, Forbid, Point, Value
from autosched.tune.space import Knob, Ref, Space, Template

#: Where a Func is computed, from the outside in; what is inlined is computed where its consumers are.
PLACES = ("inline", "root", "strip", "tile", "row", "sliding")
_DEPTH: dict[Value, float] = {"root": 0, "strip": 1, "tile": 2, "row": 3, "sliding": 3}
#: Pipelines with more Funcs than this leave out tiles, so that points can still be counted.
_MANY = 6

STRIPS = (1, 4, 8, 16, 32, 64)
TILES = (0, 32, 64, 128, 256)
LANES = (0, 4, 8, 16, 32)
UNROLLS = (1, 2, 4)


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
        return where == "inline" or self._reach(self.func, point) >= _DEPTH[where]

    def _reach(self, func: str, point: Point) -> float:
        """How deep the outermost consumer is."""
        return min(self._depth(consumer, point) for consumer in dict(self.consumers)[func])

    def _depth(self, func: str, point: Point) -> float:
        if func == self.output:
            return math.inf
        where = point[_at(func)]
        return self._reach(func, point) if where == "inline" else _DEPTH[where]

    def __str__(self) -> str:
        return f"{self.func} is computed around what reads it"


def derive(pipeline: Pipeline) -> Space:
    """The space of a pipeline. Every point is a legal schedule.

    None computes more of what is read of Inputs than they have, unless the pipeline itself does.
    """
    knobs: list[Knob] = []
    constraints: list[Constraint] = []
    templates: list[Template] = []
    output = pipeline.output
    names = _Names(pipeline)
    _output(output, names, knobs, constraints, templates)
    readers = {f.name: tuple(g.name for g in pipeline.funcs if f in sources(g)) for f in pipeline.funcs}
    for func in reversed(pipeline.funcs[:-1]):
        places = [p for p in PLACES if _possible(p, len(output.args), len(pipeline.funcs))]
        default = "root" if func.reduces else "inline"
        knobs.append(Knob(_at(func.name), tuple(places), default, summary=f"where {func.name} is computed"))
        constraints.append(Enclosed(func.name, tuple(_downstream(func.name, readers)), output.name))
        if "tile" in places:
            constraints.append(Forbid(Condition(((_at(func.name), ("tile",)), ("tile", (0,))))))
        _producer(func, output, names, places, knobs, templates)
    return Space(pipeline.name, tuple(knobs), tuple(constraints), tuple(templates))


class _Names:
    """Names of loops that no coordinate has."""

    def __init__(self, pipeline: Pipeline) -> None:
        taken = {a.name for f in pipeline.funcs for a in f.args}
        made = {n: n for n in ("strip", "row", "tile", "col", "block", "lane")}
        for name in made:
            while made[name] in taken:
                made[name] += "x"
        self.strip, self.row, self.tile, self.col, self.block, self.lane = made.values()


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


def _output(
    func: Func, names: _Names, knobs: list[Knob], constraints: list[Constraint], templates: list[Template]
) -> None:
    args = [a.name for a in func.args]
    if not args:
        return

    def add(op: str, when: Condition, **arguments: Any) -> None:
        templates.append(Template(func.name, op, tuple(arguments.items()), when))

    inner = tuple(args[:-3:-1]) if len(args) > 2 else (args[-1],)
    axes = tuple(args[:-1]) if len(args) == 2 else tuple(args)
    knobs.append(Knob("strips", STRIPS, 16, summary="rows that a thread takes at a time"))
    if len(args) == 1:
        add("split", ALWAYS, var=args[0], outer=names.strip, inner=names.row, factor=Ref("strips"))
        _lanes(func, names, ((names.row, ALWAYS),), ALWAYS, knobs, templates, prefix="")
    else:
        knobs.append(Knob("axis", axes, axes[0], summary="coordinate that is cut into strips"))
        knobs.append(Knob("inner", inner, inner[0], summary="innermost coordinate, which has the lanes"))
        knobs.append(Knob("tile", TILES, 0, summary="columns of a tile; 0 makes none"))
        knobs.append(Knob("order", ("rows", "rest"), "rows", summary="outside within a tile: its rows, or the rest"))
        both = [name for name in axes if name in inner]
        constraints += [Forbid(_is(axis=name, inner=name)) for name in both]
        for axis in axes:
            add("split", _is(axis=axis), var=axis, outer=names.strip, inner=names.row, factor=Ref("strips"))
        for last in inner:
            when = _is(inner=last, tile=_some(TILES))
            add("split", when, var=last, outer=names.tile, inner=names.col, factor=Ref("tile"))
        for axis in axes:
            for last in inner:
                if axis == last:
                    continue
                rest = [a for a in args if a not in (axis, last)]
                for order in ("rows", "rest"):
                    middle = [names.row, *rest] if order == "rows" else [*rest, names.row]
                    chosen = _is(axis=axis, inner=last, order=order)
                    add("reorder", _both(chosen, _is(tile=0)), vars=(names.strip, *middle, last))
                    tiled = (names.strip, names.tile, *middle, names.col)
                    add("reorder", _both(chosen, _is(tile=_some(TILES))), vars=tiled)
        loops = [(names.col, _is(tile=_some(TILES))), *((last, _is(tile=0, inner=last)) for last in inner)]
        _lanes(func, names, tuple(loops), ALWAYS, knobs, templates, prefix="")
    knobs.append(Knob("parallel", ("strips", "none"), "strips", summary="what is dealt to threads"))
    add("parallel", _is(parallel="strips"), var=names.strip)
    vectors = _is(lanes=_some(LANES))
    stores = ("cached", "fetched", "streamed")
    knobs.append(
        Knob("stores", stores, "cached", vectors, "through the caches, where lines are fetched early, or past")
    )
    add("stream", _is(stores="streamed"))
    add("prefetch_stores", _is(stores="fetched"), loop=names.strip if len(args) == 1 else names.row)


def _producer(
    func: Func, output: Func, names: _Names, places: list[str], knobs: list[Knob], templates: list[Template]
) -> None:
    def add(op: str, when: Condition, **arguments: Any) -> None:
        templates.append(Template(func.name, op, tuple(arguments.items()), when))

    at = _at(func.name)
    add("inline", _is(**{at: "inline"}))
    add("compute_root", _is(**{at: "root"}))
    for place, loops in (("strip", names.strip), ("tile", names.tile), ("row", names.row), ("sliding", names.row)):
        if place in places:
            add("compute_at", _is(**{at: place}), func=output.name, var=loops)
    if "sliding" in places:
        add("store_at", _is(**{at: "sliding", "tile": 0}), func=output.name, var=names.strip)
        add("store_at", _is(**{at: "sliding", "tile": _some(TILES)}), func=output.name, var=names.tile)
    args = [a.name for a in func.args]
    if not args:
        return
    computed = _is(**{at: tuple(p for p in places if p != "inline")})
    loops_of: list[tuple[str, Condition]] = [(args[-1], ALWAYS)]
    if len(args) > 2:
        inner, outer = args[-1], args[-2]
        knob = f"{func.name}_inner"
        knobs.append(Knob(knob, (inner, outer), inner, computed, f"innermost coordinate of {func.name}"))
        add("reorder", _is(**{knob: outer}), vars=(inner, outer))
        loops_of = [(name, _is(**{knob: name})) for name in (inner, outer)]
    _lanes(func, names, tuple(loops_of), computed, knobs, templates, prefix=f"{func.name}_")
    if len(args) > 1:
        add("parallel", _is(**{at: "root"}), var=args[0])


def _lanes(
    func: Func,
    names: _Names,
    loops: tuple[tuple[str, Condition], ...],
    when: Condition,
    knobs: list[Knob],
    templates: list[Template],
    prefix: str,
) -> None:
    """Lanes of the innermost loop, which is one of `loops`; blocks of lanes that are written out; the last block."""
    lanes, tail, unroll = f"{prefix}lanes", f"{prefix}tail", f"{prefix}unroll"
    other = "round_up" if prefix else "shift_inwards"
    some = _is(**{lanes: _some(LANES)})
    knobs.append(Knob(lanes, LANES, 16, when, f"elements of {func.name} that are computed at once; 0 is one by one"))
    last: Any = "guard"
    if other != "round_up" or _guarded(func):
        last, summary = Ref(tail), f"the last lanes of {func.name}: one by one, or beyond or before"
        knobs.append(Knob(tail, ("guard", other), "guard", some, summary))
    knobs.append(Knob(unroll, UNROLLS, 1, some, f"blocks of lanes of {func.name} that are written out"))

    def add(op: str, condition: Condition, **arguments: Any) -> None:
        templates.append(Template(func.name, op, tuple(arguments.items()), condition))

    for var, chosen in loops:
        add(
            "split", _both(some, chosen),
            var=var, outer=names.block, inner=names.lane, factor=Ref(lanes), tail=last,
        )  # fmt: skip
    add("vectorize", some, var=names.lane, lanes=Ref(lanes))
    add("unroll", _is(**{unroll: _some(UNROLLS)}), var=names.block, factor=Ref(unroll))


def _guarded(func: Func) -> bool:
    """Whether more of `func` can be computed than is needed, because nothing is read beside an Input for that."""
    assert func.value is not None
    reads = [node for node in walk(func.value) if isinstance(node, Read) and isinstance(node.source, Input)]
    inside = all(_clamped(index, read.source, dim) for read in reads for dim, index in enumerate(read.index))
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
