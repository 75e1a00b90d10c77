"""From the language to IR expressions, with inlined Funcs substituted.

Several instances of one definition (the copies of an unrolled loop) are translated together, so that their
reductions share loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autosched.errors import CompileError
from autosched.lang import expr as lang
from autosched.lang.func import Func, Input
from autosched.lang.types import i64
from autosched.lower import algebra
from autosched.lower.ir import (
    Access,
    Binary,
    Cast,
    Const,
    Expr,
    FusedMultiplyAdd,
    Name,
    Reinterpret,
    Select,
    Strategy,
    Unary,
)
from autosched.lower.names import extent_name
from autosched.lower.sharing import shared_nodes

#: Operations of one definition, with what is inlined in it. Compiling takes milliseconds for each.
MOST_OPERATIONS = 20_000


@dataclass(frozen=True)
class Env:
    """One instance: the values of Vars by name; of RVars, and of what folds have come to, by identity."""

    vars: Mapping[str, Expr] = field(default_factory=dict)
    reduced: Mapping[int, Expr] = field(default_factory=dict)

    def inside(self, more: Mapping[int, Expr]) -> Env:
        """The same instance inside a reduction, which gives values to `more`."""
        return Env(self.vars, {**self.reduced, **more})


#: Computes the values of something that is used several times, one for each instance; gives names for them.
OnShared = Callable[[list[Expr]], list[Expr]]
#: Emits a reduction for all instances; gives for each the coordinates of the best value and the reduced value.
OnReduce = Callable[[lang.Reduce, list[Env], Func], list[list[Expr]]]


class TooLargeError(Exception):
    """A definition has more than `MOST_OPERATIONS`; who knows the whole pipeline says which Func to compute."""


@dataclass
class Inlined:
    """What is translated of a definition so far: its size, what gets names in it, and reads of inlined Funcs."""

    shared: frozenset[int]
    operations: int = 0
    reads: dict[tuple[str, tuple[tuple[Expr, ...], ...]], list[Expr]] = field(default_factory=dict)


@dataclass(frozen=True)
class Translator:
    """Translates definitions.

    `params` has the least and the greatest value of Params that the kernel is for, `strategies` how scattered lanes
    read each source.
    """

    inlined: frozenset[str]
    params: Mapping[str, tuple[int, int]]
    strategies: Mapping[str, Strategy] = field(default_factory=dict)

    def scalar(self, expr: lang.Expr) -> Expr:
        """An expression of constants, Params and extents only."""
        return self.translate(expr, [Env()], None, None)[0]

    def translate(
        self,
        expr: lang.Expr,
        envs: Sequence[Env],
        func: Func | None,
        on_reduce: OnReduce | None,
        on_shared: OnShared | None = None,
        within: Inlined | None = None,
    ) -> list[Expr]:
        """`expr` of `func` for each instance; `within` is the definition that `func` is inlined in."""
        if within is None:
            within = Inlined(frozenset() if on_shared is None else shared_nodes(expr, self.inlined))
        memo: dict[int, list[Expr]] = {}
        reductions: dict[int, list[list[Expr]]] = {}
        instances = list(envs)

        def reduced(node: lang.Reduce) -> list[list[Expr]]:
            if id(node) not in reductions:
                assert func is not None and on_reduce is not None
                reductions[id(node)] = on_reduce(node, instances, func)
            return reductions[id(node)]

        def visit(node: lang.Expr) -> list[Expr]:
            if id(node) not in memo:
                made = compute(node)
                memo[id(node)] = on_shared(made) if on_shared is not None and id(node) in within.shared else made
                within.operations += 1
                if within.operations > MOST_OPERATIONS:
                    raise TooLargeError
            return memo[id(node)]

        def compute(node: lang.Expr) -> list[Expr]:
            match node:
                case lang.Const():
                    return [Const(node.value, node.of)] * len(instances)
                case lang.Var():
                    return [env.vars[node.name] for env in instances]
                case lang.RVar() | lang.SoFar():
                    return [env.reduced[id(node)] for env in instances]
                case lang.Param():
                    return [self._param(node)] * len(instances)
                case lang.Extent():
                    return [Name(extent_name(node.source.name, node.dim))] * len(instances)
                case lang.Binary():
                    return [_binary(node.op, a, b) for a, b in zip(visit(node.a), visit(node.b), strict=True)]
                case lang.Unary():
                    return [_unary(node.op, a) for a in visit(node.a)]
                case lang.Cast():
                    return [_cast(node, a) for a in visit(node.a)]
                case lang.Reinterpret(to=to):
                    return [Reinterpret(to, a) for a in visit(node.a)]
                case lang.Select():
                    parts = (visit(node.condition), visit(node.a), visit(node.b))
                    return [Select(c, a, b) for c, a, b in zip(*parts, strict=True)]
                case lang.FusedMultiplyAdd():
                    parts = (visit(node.a), visit(node.b), visit(node.c))
                    return [FusedMultiplyAdd(a, b, c) for a, b, c in zip(*parts, strict=True)]
                case lang.Reduce():
                    return [found[-1] for found in reduced(node)]
                case lang.ArgIndex():
                    return [found[node.part] for found in reduced(node.reduction)]
                case lang.Read(source=source):
                    columns = [visit(i) for i in node.index]
                    indices = [tuple(column[n] for column in columns) for n in range(len(instances))]
                    if isinstance(source, Input) or source.name not in self.inlined:
                        strategy = self.strategies.get(source.name, "unsaid")
                        return [Access(source.name, index, source.type, strategy) for index in indices]
                    assert source.value is not None
                    args = [arg.name for arg in source.args]
                    inner = [Env(dict(zip(args, index, strict=True))) for index in indices]
                    read = (source.name, tuple(indices))
                    if read not in within.reads:
                        within.reads[read] = self.translate(source.value, inner, source, on_reduce, on_shared, within)
                    return within.reads[read]
            raise CompileError(f"cannot translate {type(node).__name__}")

        return visit(expr)

    def _param(self, param: lang.Param) -> Expr:
        within = self.params.get(param.name)
        if within is not None and within[0] == within[1]:
            return Const(within[0], param.of)
        return Name(param.name, param.of, data=True, within=within)


def _binary(op: lang.BinaryOp, a: Expr, b: Expr) -> Expr:
    return algebra.make(op, a, b) if a.elem == i64 else Binary(op, a, b)


def _unary(op: lang.UnaryOp, a: Expr) -> Expr:
    if op == "neg" and a.elem == i64:
        return algebra.make("sub", algebra.ZERO, a)
    return Unary(op, a)


def _cast(node: lang.Cast, a: Expr) -> Expr:
    if isinstance(a, Const) and a.elem.is_int and node.to.is_int and node.to.min <= a.value <= node.to.max:
        return Const(a.value, node.to)
    return Cast(node.to, a, node.saturating)
