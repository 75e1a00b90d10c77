"""The interpreter: what a program means, in numpy. Slow, obvious, and the reference for every kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from autosched.errors import BindError, LanguageError
from autosched.lang.bits import same_bits
from autosched.lang.expr import (
    ArgIndex,
    Binary,
    Cast,
    Const,
    Expr,
    Extent,
    Fold,
    FusedMultiplyAdd,
    Param,
    Read,
    Reduce,
    Reinterpret,
    RVar,
    Select,
    SoFar,
    Unary,
    Var,
)
from autosched.lang.func import Func, Pipeline
from autosched.lang.fused import multiply_add
from autosched.lang.halves import half_bits
from autosched.lang.types import Type

Box = tuple[tuple[int, int], ...]
Array = np.ndarray[Any, Any]
#: The value of an expression that another one is computed from.
Value = Callable[[Expr], Array]


def interpret(
    pipeline: Pipeline,
    shape: tuple[int, ...],
    inputs: Mapping[str, Array] | None = None,
    params: Mapping[str, int | float] | None = None,
    **given: Any,
) -> Array:
    """The output of `pipeline` over coordinates 0..shape-1, an array of `shape` and the output's dtype.

    Inputs and params may be given by name too, as kernels take them. Raises BindError where they are not those of the
    pipeline.
    """
    arrays, scalars = dict(inputs or {}), dict(params or {})
    for name, value in given.items():
        (scalars if name in pipeline.params else arrays)[name] = value
    _check(pipeline, arrays, scalars)
    machine = _Interpreter(arrays, scalars)
    with np.errstate(all="ignore"):
        out = machine.realize(pipeline.output, tuple((0, n - 1) for n in shape))
    return np.ascontiguousarray(out)


def _check(pipeline: Pipeline, arrays: Mapping[str, Any], scalars: Mapping[str, Any]) -> None:
    for what, given, wanted in (("input", arrays, pipeline.inputs), ("param", scalars, pipeline.params)):
        for name in [*given, *wanted]:
            if (name in given) != (name in wanted):
                raise BindError(
                    f"{pipeline.name}: {what} {name} is {'unknown' if name in given else 'missing'}; it takes "
                    f"{', '.join(wanted) or 'none'}"
                )
    for name, declared in pipeline.inputs.items():
        found = np.asarray(arrays[name])
        if (found.dtype, found.ndim) != (declared.type.dtype, declared.ndim):
            raise BindError(
                f"input {name} is {found.dtype} with {found.ndim} dimensions; {pipeline.name} takes "
                f"{declared.type.dtype} with {declared.ndim}"
            )


class _Interpreter:
    def __init__(self, inputs: dict[str, Array], params: dict[str, int | float]) -> None:
        self.inputs = inputs
        self.params = params
        self.done: dict[int, list[tuple[Box, Array]]] = {}

    def realize(self, func: Func, box: Box) -> Array:
        """Values of `func` over `box` (inclusive bounds per dimension).

        Boxes that overlap, as those of the taps of a stencil do, become one: each of its own, and those that they need
        in turn, would be as many as a pyramid of some levels has paths.
        """
        held = self.done.setdefault(id(func), [])
        for known, values in held:
            if _hull(known, box) == known:
                return _part(known, values, box)
        for place, (known, _) in enumerate(held):
            hull = _hull(known, box)
            if _size(hull) <= _size(known) + _size(box):
                try:
                    values = self._computed(func, hull)
                except BindError:  # of what lies between them, which nothing reads
                    continue
                held[place] = (hull, values)
                return _part(hull, values, box)
        held.append((box, self._computed(func, box)))
        return held[-1][1]

    def _computed(self, func: Func, box: Box) -> Array:
        assert func.value is not None
        shape = tuple(hi - lo + 1 for lo, hi in box)
        env: dict[int | str, Array] = {}
        for axis, (arg, (lo, hi)) in enumerate(zip(func.args, box, strict=True)):
            env[arg.name] = np.arange(lo, hi + 1, dtype=np.int64).reshape(
                [-1 if d == axis else 1 for d in range(len(box))]
            )
        if 0 in shape:
            return np.empty(shape, func.type.dtype)
        self._foresee(func, env)
        value = self.evaluate(func.value, env, func)
        return np.broadcast_to(value, shape).astype(func.type.dtype)

    def _foresee(self, func: Func, env: Mapping[int | str, Array]) -> None:
        """Compute at once what several reads need of a Func, and the points of reductions."""
        assert func.value is not None
        found: dict[Func, list[tuple[Box, int]]] = {}
        self._boxes(func.value, env, func, 1, found)
        for source, boxes in found.items():
            hull = reduce(_hull, (box for box, _ in boxes))
            if len(boxes) > 1 and _size(hull) <= sum(times * _size(box) for box, times in boxes):
                with suppress(BindError):  # of what lies between them, which nothing may read
                    self.realize(source, hull)

    def _boxes(
        self,
        expr: Expr,
        env: Mapping[int | str, Array],
        func: Func,
        times: int,
        found: dict[Func, list[tuple[Box, int]]],
    ) -> None:
        """What `expr` reads of Funcs, of reductions at the first and the last point; `times` is how often."""
        value = self._valuer(env, func)
        seen: set[int] = set()
        left = [expr]
        while left:
            node = left.pop()
            if id(node) in seen or isinstance(node, Fold):  # whose indices may depend on what it has come to
                continue
            seen.add(id(node))
            if isinstance(node, Reduce):
                lows = [self.evaluate(v.lo, env, func) for v in node.domain]
                extents = [self.evaluate(v.extent, env, func) for v in node.domain]
                points = prod(max(int(n.flat[0]), 0) for n in extents)
                highs = [lo + n - 1 for lo, n in zip(lows, extents, strict=True)]
                for at in (lows, highs) if points else ():
                    self._boxes(node.value, {**env, **_bound(node, at)}, func, times * points, found)
                continue
            if isinstance(node, Read) and isinstance(node.source, Func):
                box = _box([np.asarray(value(i)) for i in node.index])
                found.setdefault(node.source, []).append((box, times))
            left += node.operands

    def evaluate(self, expr: Expr, env: Mapping[int | str, Array], func: Func) -> Array:
        """`expr` with Vars (by name), RVars and SoFars (by identity) bound in `env`, broadcast over them."""
        return self._valuer(env, func)(expr)

    def _valuer(self, env: Mapping[int | str, Array], func: Func) -> Value:
        """`evaluate` for several expressions, which computes once what they share."""
        memo: dict[int, Array] = {}

        def value(node: Expr) -> Array:
            if id(node) not in memo:
                memo[id(node)] = self._node(node, value, env, func)
            return memo[id(node)]

        return value

    def _node(self, node: Expr, value: Value, env: Mapping[int | str, Array], func: Func) -> Array:
        match node:
            case Const():
                return np.full((1,) * func.ndim, node.value, node.of.dtype)
            case Var():
                return env[node.name]
            case RVar() | SoFar():
                return env[id(node)]
            case Param():
                if node.name not in self.params:
                    raise BindError(f"parameter {node.name} is not given")
                return np.full((1,) * func.ndim, self.params[node.name], node.of.dtype)
            case Extent():
                return np.full((1,) * func.ndim, self._input(node.source.name).shape[node.dim], np.int64)
            case Cast():
                return convert(value(node.a), node.a.type, node.to, node.saturating)
            case Reinterpret():
                return same_bits(value(node.a), node.to.dtype)
            case Select():
                return np.where(value(node.condition), value(node.a), value(node.b))
            case FusedMultiplyAdd():
                return multiply_add(value(node.a), value(node.b), value(node.c))
            case Unary():
                return _unary(node.op, value(node.a))
            case Binary():
                return _binary(node.op, value(node.a), value(node.b), node.a.type)
            case Fold():
                return self._fold(node, env, func)
            case Reduce():
                return self._reduce(node, env, func)[-1]
            case ArgIndex():
                return self._reduce(node.reduction, env, func)[node.part]
            case Read():
                return self._read(node, value, func)
        raise LanguageError(f"Func {func.name}: cannot interpret {type(node).__name__} ({node.where})")

    def _input(self, name: str) -> Array:
        if name not in self.inputs:
            raise BindError(f"input {name} is not given")
        return self.inputs[name]

    def _read(self, node: Read, value: Value, func: Func) -> Array:
        index = [np.asarray(value(i)) for i in node.index]
        box = _box(index)
        if isinstance(node.source, Func):
            data = self.realize(node.source, box)
            return np.asarray(data[tuple(i - lo for i, (lo, _) in zip(index, box, strict=True))])
        data = self._input(node.source.name)
        for dim, (lo, hi) in enumerate(box):
            if lo < 0 or hi >= data.shape[dim]:
                raise BindError(
                    f"Func {func.name} reads {node.source.name} at {lo}..{hi} in dimension {dim}, "
                    f"which has {data.shape[dim]} elements ({node.where})"
                )
        return np.asarray(data[tuple(index)])

    def _points(self, node: Reduce, env: Mapping[int | str, Array], func: Func) -> Iterator[list[Array]]:
        """The points of a reduction's domain, in lexicographic order."""
        lows = [int(self.evaluate(v.lo, env, func).flat[0]) for v in node.domain]
        extents = [max(int(self.evaluate(v.extent, env, func).flat[0]), 0) for v in node.domain]
        for point in np.ndindex(*extents):
            yield [np.full((1,) * func.ndim, lo + p, np.int64) for lo, p in zip(lows, point, strict=True)]

    def _fold(self, node: Fold, env: Mapping[int | str, Array], func: Func) -> Array:
        """The last value of a fold."""
        value = self.evaluate(node.start, env, func)
        for at in self._points(node, env, func):
            value = self.evaluate(node.value, {**env, **_bound(node, at), id(node.so_far): value}, func)
        return value

    def _reduce(self, node: Reduce, env: Mapping[int | str, Array], func: Func) -> list[Array]:
        """The coordinates of the best value (of argmin, argmax) and the reduced value."""
        unit = (1,) * func.ndim
        best = np.full(unit, initial(node.op, node.type), node.type.dtype)
        where = [self.evaluate(v.lo, env, func) for v in node.domain]
        for at in self._points(node, env, func):
            term = self.evaluate(node.value, {**env, **_bound(node, at)}, func)
            match node.op:
                case "sum":
                    best = best + term
                case "product":
                    best = best * term
                case "min" | "argmin":
                    better = term < best
                case "max" | "argmax":
                    better = best < term
            if node.op not in ("sum", "product"):
                best = np.where(better, term, best)
                where = [np.where(better, a, w) for a, w in zip(at, where, strict=True)]
        return [*where, best]


def _box(index: Sequence[Array]) -> Box:
    """The coordinates that are read, least and greatest of each dimension."""
    return tuple((int(i.min()), int(i.max())) for i in index)


def _hull(a: Box, b: Box) -> Box:
    """The least box around two."""
    return tuple((min(lo, low), max(hi, high)) for (lo, hi), (low, high) in zip(a, b, strict=True))


def _size(box: Box) -> int:
    """How many points a box has."""
    return prod(hi - lo + 1 for lo, hi in box)


def _part(box: Box, values: Array, wanted: Box) -> Array:
    """Those of the values over a box that are wanted."""
    return values[tuple(slice(low - lo, high - lo + 1) for (lo, _), (low, high) in zip(box, wanted, strict=True))]


def _bound(node: Reduce, at: list[Array]) -> dict[int | str, Array]:
    """The coordinates of a reduction's domain at one of its points."""
    return {id(v): a for v, a in zip(node.domain, at, strict=True)}


def initial(op: str, of: Type) -> int | float:
    """The value that a reduction starts from."""
    if op in ("sum", "product"):
        return (0 if op == "sum" else 1) if of.is_int else (0.0 if op == "sum" else 1.0)
    return of.max if op in ("min", "argmin") else of.min


def convert(a: Array, of: Type, to: Type, saturating: bool) -> Array:
    """`cast` and `saturating_cast` of the language."""
    if to.is_half:
        return half_bits(a, to).view(to.dtype)
    if of.is_float and to.is_int:
        wide = np.trunc(np.nan_to_num(a.astype(np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf))
        inside = np.where((wide > to.min) & (wide < float(to.max)), wide, 0.0).astype(to.dtype)
        return np.where(
            wide <= to.min, to.dtype.type(to.min), np.where(wide >= float(to.max), to.dtype.type(to.max), inside)
        )
    if of.is_int and to.is_int and saturating:
        low, high = max(int(of.min), int(to.min)), min(int(of.max), int(to.max))
        return np.clip(a, of.dtype.type(low), of.dtype.type(high)).astype(to.dtype)
    if to.is_bool:
        return np.asarray(a != 0)
    return a.astype(to.dtype)


def _unary(op: str, a: Array) -> Array:
    match op:
        case "neg":
            return np.negative(a)
        case "not":
            return np.invert(a)
        case "abs":
            return np.abs(a)
        case "sqrt":
            return np.sqrt(a)
        case "floor":
            return np.floor(a)
        case "ceil":
            return np.ceil(a)
        case "round":
            return np.rint(a)
        case "trunc":
            return np.trunc(a)
    raise LanguageError(f"unknown operation {op}")


def _binary(op: str, a: Array, b: Array, of: Type) -> Array:
    match op:
        case "add":
            return a + b
        case "sub":
            return a - b
        case "mul":
            return a * b
        case "div":
            return a / b
        case "floordiv":
            return np.where(b == 0, of.dtype.type(0), np.floor_divide(a, b))
        case "mod":
            return np.where(b == 0, of.dtype.type(0), np.remainder(a, b))
        case "min":
            return np.where(b < a, b, a)
        case "max":
            return np.where(a < b, b, a)
        case "and":
            return a & b
        case "or":
            return a | b
        case "xor":
            return a ^ b
        case "shl":
            return np.asarray(np.left_shift(a, b & of.dtype.type(of.bits - 1)))
        case "shr":
            return np.asarray(np.right_shift(a, b & of.dtype.type(of.bits - 1)))
        case "eq":
            return np.asarray(a == b)
        case "ne":
            return np.asarray(a != b)
        case "lt":
            return np.asarray(a < b)
        case "le":
            return np.asarray(a <= b)
    raise LanguageError(f"unknown operation {op}")
