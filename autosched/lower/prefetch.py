"""Prefetches of what is read and stored, where the schedule asks for them: some bytes ahead, or a loop's next turn.

What a loop reads first from memory arrives late, as does a line that is stored to, and a processor looks only a few
dozen instructions ahead of what it waits for. A prefetch is a hint: it reads nothing, and any address will do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from autosched.lower import algebra
from autosched.lower.algebra import ONE, ZERO, add, const, minimum, mul, sub, substitute
from autosched.lower.demands import CACHE_LINE
from autosched.lower.derive import loop_name
from autosched.lower.ir import (
    Access,
    Binary,
    Block,
    Const,
    Expr,
    For,
    Let,
    Load,
    Name,
    Prefetch,
    Stmt,
    Store,
    bodies,
    expressions,
    map_bodies,
    names,
    walk,
)
from autosched.lower.regions import Regions
from autosched.lower.stages import Box, Storage
from autosched.schedule.directives import PrefetchNext, PrefetchStores
from autosched.schedule.func_nest import FuncNest, Level


def prefetch_ahead(block: Block, ahead: Mapping[str, Mapping[str, int]]) -> Block:
    """`block` with prefetches of each source, as many bytes `ahead` as the Func that is stored asks for."""
    wanted: dict[str, int] = {}
    for stmt in block:
        if isinstance(stmt, Store):
            wanted.update(ahead.get(stmt.buffer, {}))
    if wanted:
        return _prefetched(block, partial(_reads, wanted))
    return tuple(map_bodies(stmt, lambda body: prefetch_ahead(body, ahead)) for stmt in block) if ahead else block


def prefetch_stores(block: Block, later: Mapping[str, PrefetchStores]) -> Block:
    """`block` with prefetches before vector stores: of the address that the same store writes so many turns later."""
    return _prefetched(block, partial(_stores, later)) if later else block


def _prefetched(block: Block, addresses: Callable[[Stmt], Iterable[Expr]]) -> Block:
    """`block` with prefetches of the `addresses` of each statement before it, one per line, in inner loops too."""
    out: list[Stmt] = []
    lines = _LinesSeen()
    for stmt in block:
        lines.pass_by(stmt)
        out += [Prefetch(address) for address in addresses(stmt) if lines.new(address)]
        out.append(map_bodies(stmt, lambda body: _prefetched(body, addresses)) if bodies(stmt) else stmt)
    return tuple(out)


def _reads(ahead: Mapping[str, int], stmt: Stmt) -> Iterator[Expr]:
    """So many bytes behind the dense vectors and windows that a statement itself reads, but for the last of a row that
    is not whole."""
    for e in (e for top in expressions(stmt) for e in walk(top)):
        if isinstance(e, Load) and e.buffer in ahead and e.kind == "dense" and e.lanes > 1 and e.count is None:
            yield add(e.address, const(ahead[e.buffer]))


def _stores(later: Mapping[str, PrefetchStores], stmt: Stmt) -> Iterator[Expr]:
    """Where the vector that a statement stores is stored so many turns later."""
    if isinstance(stmt, Store) and stmt.buffer in later and stmt.value.lanes > 1:
        x = later[stmt.buffer]
        loop = loop_name(stmt.buffer, x.loop)
        yield substitute(stmt.address, {loop: add(Name(loop), const(x.turns))})


class _LinesSeen:
    """The lines that a block has prefetched so far."""

    def __init__(self) -> None:
        self.begun: dict[frozenset[tuple[Expr, int]], list[int]] = defaultdict(list)
        self.known: dict[str, Expr] = {}

    def pass_by(self, stmt: Stmt) -> None:
        """Copies of an unrolled loop have its variable as a constant."""
        if isinstance(stmt, Let) and isinstance(stmt.value, Const):
            self.known[stmt.name] = stmt.value

    def new(self, address: Expr) -> bool:
        """Whether nothing within a line of `address` has been prefetched, as it is from now on."""
        terms, begin = algebra.linear(substitute(address, self.known))
        others = self.begun[frozenset(terms.items())]
        if any(abs(begin - other) < CACHE_LINE for other in others):
            return False
        others.append(begin)
        return True


def prefetch_next(x: PrefetchNext, f: FuncNest, regions: Regions, storages: Mapping[str, Storage]) -> list[Stmt]:
    """Prefetches, one per cache line, of what `x.loop` will read from `x.source` `x.turns` iterations from now.

    They stand in loop `x.at`, and are for what that reads in one iteration. Lines are counted from where what lies next
    to each other begins, so a last one that it only touches is left out.
    """
    loop = loop_name(f.name, x.loop)
    box = _box(x, f, regions)
    if box is None:
        return []
    later = add(Name(loop), const(x.turns))
    if any(isinstance(e, Access) and loop in names(e) for bounds in box for bound in bounds for e in walk(bound)):
        later = minimum(later, sub(regions.derived[f.name].extents[x.loop], ONE))  # tables end where the loop does
    box = tuple((substitute(lo, {loop: later}), substitute(_unclipped(lo, hi), {loop: later})) for lo, hi in box)

    storage = storages[x.source]
    address: Expr = Name(x.source)
    length: Expr = const(storage.elem.bytes - 1)
    loops: list[tuple[str, Expr]] = []
    for dim, ((lo, hi), origin, stride) in enumerate(zip(box, storage.origin, storage.strides, strict=True)):
        address = add(address, mul(sub(lo, origin), stride))
        step = algebra.value_of(stride)
        if step is not None and 0 < step <= CACHE_LINE:
            length = add(length, mul(sub(hi, lo), stride))
        else:
            name = f"{f.name}.{x.source}.{dim}.next"
            loops.append((name, add(sub(hi, lo), ONE)))
            address = add(address, mul(Name(name), stride))
    out: list[Stmt] = [Prefetch(add(address, const(n * CACHE_LINE))) for n in range(x.lines)]
    if not x.lines:
        line = f"{f.name}.{x.source}.line"
        loops.append((line, add(algebra.floordiv(length, const(CACHE_LINE)), ONE)))
        out = [Prefetch(add(address, mul(Name(line), const(CACHE_LINE))))]
    for name, extent in reversed(loops):
        out = [For(name, ZERO, extent, tuple(out))]
    return out


def _box(x: PrefetchNext, f: FuncNest, regions: Regions) -> Box | None:
    """The box of the source that one iteration of `x.at` reads, also for Funcs that are computed in `x.loop`.

    None where simplification left nothing that does.
    """
    loop = Level(f.name, x.loop)
    readers = [name for name in regions.order if regions.nest.within(name, loop)]
    return regions.read(readers, Level(f.name, x.at), {x.source}).get(x.source)


def _unclipped(lo: Expr, hi: Expr) -> Expr:
    """`hi`, but where the last block of a loop is cut short as if it were whole: no harm in a hint."""
    if isinstance(hi, Binary) and hi.op == "min":
        return next((side for side in (hi.a, hi.b) if algebra.difference(side, lo) is not None), hi)
    return hi
