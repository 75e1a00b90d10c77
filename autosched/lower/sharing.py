"""Which values of a definition are computed once, by a name, because several expressions use them.

The IR is made of trees: the argument of exp, which is used ten times, would be there ten times, and a hundred times in
exp(log(x)). Of a sorting network of 25 elements, 700 operations, no machine could go through the tree.

There is one rule: what has at least 64 nodes as a tree and is used several times gets a name, unless it is an integer
of coordinates, which passes recognise by their form. The definitions of inlined Funcs count as if they were written in
the places where the Funcs are read.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from autosched.lang import expr as lang
from autosched.lang.func import Func

#: Trees of fewer nodes are repeated, which common subexpressions put right.
_LEAST: Final = 64


def shared_nodes(expr: lang.Expr, inlined: frozenset[str]) -> frozenset[int]:
    """The ids of the nodes that get names of `expr`, and of the inlined Funcs that it reads.

    Not of what reductions are of, whose place is another. Reads of an inlined Func at the same indices are one value.
    """
    order = _operands_first(expr, inlined)
    sizes: dict[int, int] = {}
    values: set[int] = set()
    alike: defaultdict[tuple[object, ...], list[lang.Expr]] = defaultdict(list)
    for node in order:
        parts, definition = _parts(node), _definition(node, inlined)
        sizes[id(node)] = 1 + sum(sizes[id(x)] for x in (*parts, *definition))
        if _is_value(node) or any(id(x) in values for x in parts):
            values.add(id(node))
        if definition:
            alike[id(definition[0]), *map(id, parts)].append(node)
    if sizes[id(expr)] < _LEAST:
        return frozenset()
    uses: defaultdict[int, int] = defaultdict(int, {id(expr): 1})
    found = {id(x) for same in alike.values() if len(same) > 1 for x in same if sizes[id(x)] >= _LEAST}
    for node in reversed(order):
        times = uses[id(node)]
        if times > 1 and sizes[id(node)] >= _LEAST and id(node) in values:
            found.add(id(node))
        if id(node) in found:
            times = 1
        for part in _parts(node):
            uses[id(part)] += times
        for value in _definition(node, inlined):
            uses[id(value)] = max(uses[id(value)], 1)  # translated once for every place where it is read
    return frozenset(found & values)


def _is_value(node: lang.Expr) -> bool:
    """Whether `node` is more than coordinates, whatever it is computed from."""
    return node.type.is_float or isinstance(node, (lang.Read, lang.Reduce, lang.SoFar))


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
