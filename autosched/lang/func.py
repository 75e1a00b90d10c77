"""Inputs, Funcs, reduction domains and Pipelines: how expressions become an algorithm."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from autosched.errors import LanguageError
from autosched.lang.checks import caller, check_argument, check_name, check_type
from autosched.lang.expr import (
    ArgIndex,
    Const,
    Expr,
    Extent,
    Fault,
    Fold,
    Operand,
    Param,
    Read,
    Reduce,
    RVar,
    SoFar,
    Var,
    as_expr,
    walk,
)
from autosched.lang.functions import cast
from autosched.lang.types import Type, f32, i64


def variables(names: str) -> tuple[Var, ...]:
    """One Var for each of the blank-separated names: `y, x = variables("y x")`."""
    return tuple(Var(name) for name in names.split())


class RDom:
    """The domain of a reduction: named coordinates, each an extent or a (lo, extent).

    >>> r = RDom(ky=3, kx=(-1, 3))
    >>> r.kx                                        # doctest: +ELLIPSIS
    RVar(...)

    Bounds may be integers, Params, extents of Inputs and arithmetic of those. Later coordinates vary fastest.
    """

    def __init__(self, **bounds: Operand | tuple[Operand, Operand]) -> None:
        if not bounds:
            raise LanguageError(f"an RDom needs at least one coordinate, RDom(k=3) for example ({caller()})")
        made = []
        for name, bound in bounds.items():
            check_name(name, "RVar")
            lo, extent = bound if isinstance(bound, tuple) else (0, bound)
            made.append(RVar(name, _scalar_index(lo, f"RDom {name}"), _scalar_index(extent, f"RDom {name}")))
        self.vars: tuple[RVar, ...] = tuple(made)

    def __getattr__(self, name: str) -> RVar:
        made: tuple[RVar, ...] = self.__dict__.get("vars", ())
        for var in made:
            if var.name == name:
                return var
        raise AttributeError(f"this RDom has no coordinate {name!r}, only {[v.name for v in made]}")

    def __iter__(self) -> Iterator[RVar]:
        return iter(self.vars)

    def __str__(self) -> str:
        return "{" + ", ".join(f"{v.name}: {v.lo}, {v.extent}" for v in self.vars) + "}"


def _scalar_index(value: Operand, what: str) -> Expr:
    """`value` as an i64 made of constants, Params and extents only."""
    expr = cast(i64, as_expr(value, i64))
    if isinstance(expr, Fault):
        raise LanguageError(f"{what}: {expr.message} ({expr.where})")
    for node in walk(expr):
        if isinstance(node, (Var, RVar, Read, Reduce)):
            way_out = (
                f"; for a prefix take all of it and select(k <= {node}, ..., 0)"
                if isinstance(node, (Var, RVar))
                else ""
            )
            raise LanguageError(
                f"{what}: `{expr}` depends on `{node}`; use constants, Params and extents{way_out} ({caller()})"
            )
        if isinstance(node, Param) and not node.of.is_int:
            raise LanguageError(f"{what}: Param {node.name} is {node.of}, not an integer ({caller()})")
    return expr


@dataclass(frozen=True, eq=False)
class Input:
    """An array given at run time, read at computed indices.

    `ndim` dimensions of element type `type`. A table may declare what the compiler can then rely on, checked when
    an array is bound: `monotone` (one dimension, values never decrease) and `bounds` (least and greatest value, from
    constants, Params and extents), which let its values be used as indices.
    """

    name: str
    type: Type
    ndim: int
    monotone: bool = False
    bounds: tuple[Expr, Expr] | None = None
    where: str = field(default_factory=caller, repr=False)

    def __init__(
        self, name: str, type: Type, ndim: int, *, monotone: bool = False, bounds: tuple[Operand, Operand] | None = None
    ) -> None:
        check_argument(name, "Input")
        check_type(type, f"Input {name}")
        if ndim < 1:
            raise LanguageError(f"Input {name}: ndim is {ndim}; a scalar is a Param ({caller()})")
        if type.is_half:
            raise LanguageError(f"Input {name}: {type} is a type of results; give it as f32 ({caller()})")
        if (monotone or bounds is not None) and not type.is_int:
            raise LanguageError(
                f"Input {name}: only integer tables can be monotone or bounded, not {type} ({caller()})"
            )
        if monotone and ndim != 1:
            raise LanguageError(f"Input {name}: a monotone table has one dimension, not {ndim} ({caller()})")
        for key, value in {"name": name, "type": type, "ndim": ndim, "monotone": monotone, "where": caller()}.items():
            object.__setattr__(self, key, value)
        made = None
        if bounds is not None:
            made = (_scalar_index(bounds[0], f"Input {name}"), _scalar_index(bounds[1], f"Input {name}"))
        object.__setattr__(self, "bounds", made)

    def extent(self, dim: int) -> Extent:
        """The extent of dimension `dim`, known at run time."""
        if not 0 <= dim < self.ndim:
            raise LanguageError(f"Input {self.name} has dimensions 0..{self.ndim - 1}, not {dim} ({caller()})")
        return Extent(self, dim)

    def __getitem__(self, index: Any) -> Expr:
        return _read(self, self.ndim, index)


def _read(source: Func | Input, ndim: int, index: Any) -> Expr:
    items = index if isinstance(index, tuple) else (index,)
    if len(items) != ndim:
        return Fault(
            f"`{source.name}[{', '.join(map(str, items))}]` has {len(items)} indices, {source.name} has {ndim}"
        )
    made = []
    for item in items:
        expr = as_expr(item, i64)
        if isinstance(expr, Fault):
            return expr
        if not expr.type.is_int:
            return Fault(f"index `{expr}` of {source.name} is {expr.type}, not an integer")
        made.append(cast(i64, expr))
    return Read(source, tuple(made))


class Func:
    """A pure function from integer coordinates to values, defined once.

    >>> y, x = variables("y x")
    >>> ramp = Func("ramp")
    >>> ramp[y, x] = y * 10 + x
    """

    def __init__(self, name: str) -> None:
        check_name(name, "Func")
        self.name = name
        self.args: tuple[Var, ...] = ()
        self.value: Expr | None = None
        self.where = caller()
        self.bounds: dict[str, int] = {}

    @property
    def ndim(self) -> int:
        return len(self.args)

    @property
    def type(self) -> Type:
        if self.value is None:
            raise LanguageError(f"Func {self.name} is used before it is defined ({caller()})")
        return self.value.type

    def __getitem__(self, index: Any) -> Expr:
        if self.value is None:
            return Fault(f"Func {self.name} is read before it is defined")
        return _read(self, self.ndim, index)

    def __setitem__(self, args: Any, value: Operand) -> None:
        where = caller()
        if self.value is not None:
            raise LanguageError(
                f"Func {self.name} is defined twice: at {self.where} and at {where}. Funcs have one definition: what "
                "updates gather is a reduction, as in hist[b] = sum_over(r, select(cast(i64, src[r.k]) == b, 1, 0)), "
                "or fold_over"
            )
        names = args if isinstance(args, tuple) else (args,)
        if not names or not all(isinstance(a, Var) for a in names):
            raise LanguageError(
                f"Func {self.name}: the left side takes Vars only, as in {self.name}[y, x] ({where}); what scatters is "
                "a reduction, as in hist[b] = sum_over(r, select(cast(i64, src[r.k]) == b, 1, 0)), or fold_over"
            )
        if len({a.name for a in names}) != len(names):
            raise LanguageError(f"Func {self.name}: a Var appears twice on the left side ({where})")
        expr = as_expr(value)
        if isinstance(expr, Fault):
            raise LanguageError(f"Func {self.name}: {expr.message} ({expr.where})")
        _check_variables(self.name, names, expr)
        self.args, self.value, self.where = names, expr, where

    def bound(self, var: Var, extent: int) -> Func:
        """Promise that coordinate `var` of this output runs over 0..extent-1; checked when an array is bound."""
        if var.name not in {a.name for a in self.args}:
            raise LanguageError(f"Func {self.name} has no coordinate {var.name} ({caller()})")
        if extent < 1:
            raise LanguageError(
                f"Func {self.name}: the extent of {var.name} must be at least 1, not {extent} ({caller()})"
            )
        self.bounds[var.name] = extent
        return self

    @property
    def reduces(self) -> bool:
        """Whether the definition contains a reduction."""
        return self.value is not None and any(isinstance(node, Reduce) for node in walk(self.value))

    def __repr__(self) -> str:
        return f"Func({self.name!r}, {[a.name for a in self.args]})"


def _check_variables(name: str, args: Sequence[Var], value: Expr) -> None:
    """Every Var is an argument and every RVar is inside a reduction over its RDom."""
    known = {a.name for a in args}
    domains: dict[str, RVar] = {}
    seen: set[tuple[int, frozenset[int]]] = set()

    def visit(node: Expr, bound: frozenset[int]) -> None:
        if (id(node), bound) in seen:  # expressions share parts
            return
        seen.add((id(node), bound))
        if isinstance(node, Var) and node.name not in known:
            raise LanguageError(
                f"Func {name}: Var {node.name} in `{value}` is not an argument of {name}[{', '.join(sorted(known))}] "
                f"({node.where})"
            )
        if isinstance(node, RVar) and id(node) not in bound:
            raise LanguageError(
                f"Func {name}: RVar {node.name} in `{value}` is used outside a reduction over its RDom ({node.where})"
            )
        if isinstance(node, Reduce):
            if any(id(v) in bound for v in node.domain):
                raise LanguageError(
                    f"Func {name}: `{node}` reduces over its RDom inside a reduction over the same one; "
                    f"make an RDom for each ({node.where})"
                )
            for var in node.domain:
                if domains.setdefault(var.name, var) is not var or var.name in known:
                    raise LanguageError(
                        f"Func {name}: two coordinates are called {var.name}; name the RVar otherwise ({node.where})"
                    )
            if isinstance(node, Fold):
                visit(node.start, bound)
                bound = bound | {id(node.so_far)}
            visit(node.value, bound | {id(v) for v in node.domain})
            return
        if isinstance(node, SoFar) and id(node) not in bound:
            raise LanguageError(
                f"Func {name}: what a fold has come to is used in `{value}` outside its update ({node.where})"
            )
        for operand in node.operands:
            visit(operand, bound)

    visit(value, frozenset())


def _reduce(op: str, domain: RDom, value: Operand) -> Expr:
    expr = as_expr(value)
    if isinstance(expr, Fault):
        return expr
    if not isinstance(domain, RDom):
        return Fault(f"{op} takes an RDom first and then the value, not {domain!r}")
    if expr.type.is_bool:
        return Fault(f"{op} of the condition `{expr}`; cast it to an integer type first")
    if expr.type.is_half:
        return Fault(f"{op} of `{expr}` in {expr.type}, a type of results; reduce in f32 and cast last")
    return Reduce(op, domain, expr)


def sum_over(domain: RDom, value: Operand) -> Expr:
    """The sum of `value` over the domain, from 0, in lexicographic order; integers wrap."""
    return _reduce("sum", domain, value)


def product_over(domain: RDom, value: Operand) -> Expr:
    """The product of `value` over the domain, from 1, in lexicographic order; integers wrap."""
    return _reduce("product", domain, value)


def min_over(domain: RDom, value: Operand) -> Expr:
    """The least `value` over the domain; the greatest of its type where the domain is empty."""
    return _reduce("min", domain, value)


def max_over(domain: RDom, value: Operand) -> Expr:
    """The greatest `value` over the domain; the least of its type where the domain is empty."""
    return _reduce("max", domain, value)


def fold_over(domain: RDom, start: Operand, update: Callable[[Expr], Operand]) -> Expr:
    """`start`, then `update` of what it has come to, once for each point of the domain in lexicographic order.

    For what a sum rounds otherwise, or does not do: `fold_over(r, 0.0, lambda total: fma(a[r.k], b[r.k], total))`.
    The type is that of `start`, f32 where it is a Python float; an update of another type is a mistake.

    >>> k = RDom(k=3)
    >>> print(fold_over(k, 1, lambda so_far: so_far * 10 + k.k))
    fold({k: 0, 3}, 1, ((so_far * 10) + k))
    """
    first = as_expr(start, f32) if isinstance(start, float) else as_expr(start)
    if isinstance(first, Fault):
        return first
    if not isinstance(domain, RDom):
        return Fault(f"fold takes an RDom first, then where it starts and its update, not {domain!r}")
    if first.type.is_bool:
        return Fault(f"fold of the condition `{first}`; start from an integer")
    if first.type.is_half:
        return Fault(f"fold of {first.type}, a type of results; fold in f32 and cast last")
    so_far = SoFar(domain, first.type)
    value = as_expr(update(so_far), first.type)
    if isinstance(value, Fault):
        return value
    if value.type != first.type:
        return Fault(f"fold that starts from {first.type} with an update `{value}` of {value.type}; cast it")
    return Fold("fold", domain, value, first, so_far)


def _arg(op: str, domain: RDom, value: Operand) -> tuple[Expr, ...]:
    reduction = _reduce(op, domain, value)
    if not isinstance(reduction, Reduce):
        return (reduction,) * (len(domain.vars) + 1 if isinstance(domain, RDom) else 2)
    return (*(ArgIndex(reduction, part) for part in range(len(domain.vars))), reduction)


def argmax_over(domain: RDom, value: Operand) -> tuple[Expr, ...]:
    """The coordinates (i64) of the first greatest value, then that value: `ky, kx, best = argmax_over(r, e)`."""
    return _arg("argmax", domain, value)


def argmin_over(domain: RDom, value: Operand) -> tuple[Expr, ...]:
    """The coordinates (i64) of the first least value, then that value."""
    return _arg("argmin", domain, value)


def sources(func: Func) -> list[Func | Input]:
    """The Funcs and Inputs that `func` reads directly, in order of appearance."""
    assert func.value is not None
    found: dict[int, Func | Input] = {}
    for node in walk(func.value):
        if isinstance(node, Read):
            found.setdefault(id(node.source), node.source)
    return list(found.values())


class Pipeline:
    """An algorithm: its output Func and all that it is computed from.

    `funcs` lists the Funcs producers first, the output last; `inputs` and `params` what a kernel must be given.
    """

    def __init__(self, output: Func, name: str | None = None) -> None:
        if isinstance(output, (tuple, list)):
            raise LanguageError(
                f"a Pipeline has one output, not {len(output)}: make a Func with one more coordinate c, "
                f"select(c == 0, f[y, x], g[y, x]), and .bound(c, {len(output)}); or a Pipeline of each ({caller()})"
            )
        if not isinstance(output, Func) or output.value is None:
            raise LanguageError(f"a Pipeline takes a defined Func, not {output!r} ({caller()})")
        self.output = output
        self.name = name or output.name
        self.funcs: tuple[Func, ...] = tuple(_producers_first(output))
        inputs: dict[str, Input] = {}
        params: dict[str, Param] = {}
        for func in self.funcs:
            assert func.value is not None
            for node in _everything(func.value):
                if isinstance(node, (Extent, Read)) and isinstance(node.source, Input):
                    _same(inputs, node.source, node.where)
                elif isinstance(node, Param) and params.setdefault(node.name, node).of != node.of:
                    raise LanguageError(
                        f"Param {node.name} is both {params[node.name].of} and {node.of} ({node.where})"
                    )
        self.inputs: dict[str, Input] = inputs
        self.params: dict[str, Param] = params
        names = [f.name for f in self.funcs] + list(inputs) + list(params)
        for name_ in names:
            if names.count(name_) > 1:
                raise LanguageError(f"Pipeline {self.name}: two of its Funcs, Inputs and Params are called {name_}")
        from autosched.lang.bounded import check_bounded

        for func in self.funcs:
            check_bounded(func)

    def unmatched(self, given: Collection[str]) -> tuple[list[str], list[str]]:
        """The Inputs and Params that are not among the names given, and the names that are of none of them."""
        wanted = (*self.inputs, *self.params)
        return [n for n in wanted if n not in given], [n for n in given if n not in wanted]

    def func(self, name: str) -> Func:
        """The Func called `name`."""
        for func in self.funcs:
            if func.name == name:
                return func
        raise LanguageError(f"Pipeline {self.name} has no Func {name}, only {', '.join(f.name for f in self.funcs)}")

    def __repr__(self) -> str:
        return f"Pipeline({self.name!r}, funcs={[f.name for f in self.funcs]}, inputs={list(self.inputs)})"


def _same(inputs: dict[str, Input], source: Input, where: str) -> None:
    if inputs.setdefault(source.name, source) is not source:
        raise LanguageError(f"two Inputs are called {source.name} ({where})")


def _producers_first(output: Func) -> list[Func]:
    order: dict[int, Func] = {}

    def visit(func: Func) -> None:
        if id(func) in order:
            return
        for source in sources(func):
            if isinstance(source, Func):
                visit(source)
        order[id(func)] = func

    visit(output)
    return list(order.values())


def _everything(expr: Expr) -> Iterator[Expr]:
    """`walk`, and into the bounds of reductions and of tables."""
    for node in walk(expr):
        yield node
        if isinstance(node, Reduce):
            for var in node.domain:
                yield from walk(var.lo)
                yield from walk(var.extent)
        if isinstance(node, Read) and isinstance(node.source, Input) and node.source.bounds:
            for bound in node.source.bounds:
                yield from walk(bound)


def relayout(source: Func, name: str, args: Sequence[Var], index: Sequence[Operand]) -> Func:
    """A Func whose `args` are the layout of the output and whose value is `source` at `index`, a mapping of them.

    The mapping goes from a place in the output to the coordinate that is found there, so patches, tiles and planes
    are all written as the reads they are: `relayout(image, "patches", (gy, gx, py, px), (gy * 14 + py, gx * 14 + px))`.
    """
    func = Func(name)
    func[tuple(args)] = source[tuple(index)]
    return func


__all__ = ["Const", "Func", "Input", "Pipeline", "RDom", "argmax_over", "argmin_over", "fold_over", "max_over",
           "min_over", "product_over", "relayout", "sources", "sum_over", "variables"]  # fmt: skip
