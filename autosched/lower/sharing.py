"""Which floats of a definition are computed once, by a name, because several expressions use them.

The IR is made of trees: the argument of exp, which is used ten times, would be there ten times, and a hundred times in
exp(log(x)). Integers stay in their trees, for coordinates and sums of products are recognised by their form.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from autosched.lang import expr as lang
from autosched.lang.func import Func

#: Trees of fewer nodes are repeated, which common subexpressions put right.
_LEAST: Final = 64


def shared_nodes(expr: lang.Expr, inlined: frozenset[str]) -> frozenset[int]:
    """The ids of the nodes of `expr` that get names. Not of what reductions are of, whose place is another."""
    order = _operands_first(expr, inlined)
    sizes: dict[int, int] = {}
    for node in order:
        sizes[id(node)] = 1 + sum(sizes[id(x)] for x in (*_parts(node), *_definition(node, inlined)))
    if sizes[id(expr)] < _LEAST:
        return frozenset()
    uses: defaultdict[int, int] = defaultdict(int, {id(expr): 1})
    found = set()
    for node in reversed(order):
        times = uses[id(node)]
        if times > 1 and sizes[id(node)] >= _LEAST and node.type.is_float:
            found.add(id(node))
            times = 1
        for part in _parts(node):
            uses[id(part)] += times
    return frozenset(found)


def _operands_first(expr: lang.Expr, inlined: frozenset[str]) -> list[lang.Expr]:
    """`expr` and what it is computed from, the definitions of inlined Funcs included, each after its operands."""
    order: list[lang.Expr] = []
    done: set[int] = set()
    stack = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order.append(node)
        elif id(node) not in done:
            done.add(id(node))
            stack.append((node, True))
            stack += [(x, False) for x in (*_parts(node), *_definition(node, inlined))]
    return order


def _parts(node: lang.Expr) -> tuple[lang.Expr, ...]:
    return () if isinstance(node, (lang.Reduce, lang.ArgIndex)) else node.operands


def _definition(node: lang.Expr, inlined: frozenset[str]) -> tuple[lang.Expr, ...]:
    if isinstance(node, lang.Read) and isinstance(node.source, Func) and node.source.name in inlined:
        assert node.source.value is not None
        return (node.source.value,)
    return ()
