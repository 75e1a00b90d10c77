"""A name for what a Pipeline computes: equal for equal algorithms, however and wherever they were written."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from autosched.errors import LanguageError
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
from autosched.lang.func import Func, Input, Pipeline

#: Changes when the canonical form below does, so that old fingerprints never match by accident.
_FORM = 1


def fingerprint(pipeline: Pipeline) -> str:
    """The sha256 of `pipeline`'s canonical structure, in hexadecimal.

    Names of Funcs, Vars, Inputs and Params count, for schedules and callers use them. The pipeline's own name, lines,
    the identity of objects and the sharing of subexpressions do not.
    """
    text = json.dumps(canonical(pipeline), separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(pipeline: Pipeline) -> list[Any]:
    """The structure of `pipeline` as JSON data. Each distinct expression appears once, as a row of a table."""
    table = _Table()
    funcs = [[f.name, [a.name for a in f.args], sorted(f.bounds.items()), table.row(_value(f))] for f in pipeline.funcs]
    inputs = [_input(pipeline.inputs[name], table) for name in sorted(pipeline.inputs)]
    return [_FORM, pipeline.output.name, sorted(funcs), inputs, table.rows]


def _value(func: Func) -> Expr:
    assert func.value is not None
    return func.value


def _input(source: Input, table: _Table) -> list[Any]:
    bounds = [table.row(b) for b in source.bounds] if source.bounds is not None else None
    return [source.name, source.type.name, source.ndim, source.monotone, bounds]


class _Table:
    """Expressions as rows that name the rows of their operands; equal expressions share a row.

    A tree written out would grow exponentially with shared subexpressions. Rows are in order of first use, which
    depends on the structure alone.
    """

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []
        self._of_row: dict[str, int] = {}
        self._of_node: dict[int, int] = {}

    def row(self, expr: Expr) -> int:
        """The number of `expr`'s row. Iterative: expressions may be deeper than Python's stack."""
        stack = [expr]
        while stack:
            node = stack[-1]
            missing = [n for n in _parts(node) if id(n) not in self._of_node]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            if id(node) not in self._of_node:
                made = self._made(node)
                text = json.dumps(made, separators=(",", ":"))
                if text not in self._of_row:
                    self._of_row[text] = len(self.rows)
                    self.rows.append(made)
                self._of_node[id(node)] = self._of_row[text]
        return self._of_node[id(expr)]

    def _made(self, node: Expr) -> list[Any]:
        parts = [self._of_node[id(n)] for n in _parts(node)]
        match node:
            case Const():
                # Floats by their bits: -0.0 is not 0.0, and JSON has no infinity.
                value = node.value.hex() if isinstance(node.value, float) else node.value
                return ["const", node.of.name, value]
            case Var():
                return ["var", node.name]
            case RVar():
                return ["rvar", node.name, *parts]
            case Param():
                return ["param", node.name, node.of.name]
            case Extent():
                return ["extent", node.source.name, node.dim]
            case Binary() | Unary():
                return [node.op, *parts]
            case Cast():
                return ["saturate" if node.saturating else "cast", node.to.name, *parts]
            case Reinterpret():
                return ["reinterpret", node.to.name, *parts]
            case Select():
                return ["select", *parts]
            case FusedMultiplyAdd():
                return ["fma", *parts]
            case Read():
                return ["read", node.source.name, *parts]
            case Reduce():
                return ["reduce", node.op, *parts]
            case SoFar():
                return ["so_far", node.of.name, *parts]
            case ArgIndex():
                return ["arg", node.part, *parts]
        raise LanguageError(f"cannot fingerprint {type(node).__name__} ({node.where})")


def _parts(node: Expr) -> tuple[Expr, ...]:
    """What `node` is made of, the bounds of reductions included."""
    match node:
        case RVar():
            return (node.lo, node.extent)
        case SoFar():
            return node.domain.vars
        case Fold():
            return (*node.domain.vars, node.start, node.value)
        case Reduce():
            return (*node.domain.vars, node.value)
    return node.operands
