"""How large definitions become where Funcs are inlined in them: a Func once for every read, each level a product."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from autosched.lang.expr import Read, walk
from autosched.lang.func import Func, Pipeline


def inlined_sizes(pipeline: Pipeline, inlined: Container[str]) -> dict[str, int]:
    """The operations of each definition, those of the Funcs that are inlined in it included."""
    sizes: dict[str, int] = {}
    for func in pipeline.funcs:
        own, reads = _parts(func)
        sizes[func.name] = own + sum(n * sizes[g] for g, n in reads.items() if g in inlined)
    return sizes


def largest_inlined(pipeline: Pipeline, inlined: Container[str]) -> str | None:
    """The Func that takes most off the largest definition where it is not inlined; None where none is inlined."""
    names = [f.name for f in pipeline.funcs[:-1] if f.name in inlined]
    return min(names, key=lambda name: max(inlined_sizes(pipeline, set(names) - {name}).values()), default=None)


def too_large_inlined(pipeline: Pipeline, most: int) -> set[str]:
    """The Funcs without which no definition has more than `most` operations, whichever others are inlined.

    Where a definition would have more, it is the ones that make most of it, of the Funcs that it reads.
    """
    sizes: dict[str, int] = {}
    kept: set[str] = set()
    for func in pipeline.funcs:
        own, reads = _parts(func)
        shares = {g: n * sizes[g] for g, n in reads.items() if g not in kept}
        while shares and own + sum(shares.values()) > most:
            largest = max(shares, key=lambda g: shares[g])
            kept.add(largest)
            del shares[largest]
        sizes[func.name] = own + sum(shares.values())
    return kept


def _parts(func: Func) -> tuple[int, Counter[str]]:
    """The operations of a definition, and how many reads of each Func there are in it."""
    assert func.value is not None
    nodes = list(walk(func.value))
    return len(nodes), Counter(n.source.name for n in nodes if isinstance(n, Read) and isinstance(n.source, Func))
