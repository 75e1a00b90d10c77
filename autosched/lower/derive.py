"""The loops of a Func over a box: how long they are, and what coordinates are in terms of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from autosched.errors import ScheduleError
from autosched.lower import algebra
from autosched.lower.algebra import ONE, ZERO, add, ceildiv, const, maximum, minimum, mul, sub
from autosched.lower.bounds import Interval
from autosched.lower.ir import Expr, Name, names
from autosched.lower.stages import Box
from autosched.schedule import directives as d
from autosched.schedule.func_nest import FuncNest


def loop_name(func: str, loop: str) -> str:
    """The name of a loop in the IR; the dot keeps it from meeting a user's name."""
    return f"{func}.{loop}"


@dataclass
class Derived:
    """The loops of a Func over a box: extents per loop, and coordinates as expressions of loop variables."""

    extents: dict[str, Expr] = field(default_factory=dict)
    coords: dict[str, Expr] = field(default_factory=dict)
    box: dict[str, Interval] = field(default_factory=dict)


def derive(f: FuncNest, box: Box) -> Derived:
    """Loop extents and coordinates of `f` over `box`."""
    derived = Derived()
    values: dict[str, Expr] = {}
    for arg, (lo, hi) in zip(f.func.args, box, strict=True):
        derived.extents[arg.name] = add(sub(hi, lo), ONE)
        derived.box[arg.name] = (lo, hi)
    for x in f.derivations:
        if isinstance(x, d.Fuse):
            a, b = derived.extents[x.outer], derived.extents[x.inner]
            whole = Name(loop_name(f.name, x.fused))
            derived.extents[x.fused] = mul(a, b)
            values[x.outer] = algebra.as_part(algebra.floordiv(whole, b), "floordiv")
            values[x.inner] = algebra.as_part(algebra.mod(whole, b), "mod")
            continue
        extent, factor = derived.extents[x.var], const(x.factor)
        outer, inner = Name(loop_name(f.name, x.outer)), Name(loop_name(f.name, x.inner))
        derived.extents[x.outer] = ceildiv(extent, x.factor)
        known = algebra.value_of(extent)
        whole_blocks = x.tail == "round_up" or (known is not None and known % x.factor == 0)
        base = mul(outer, factor)
        size: Expr = factor
        if not whole_blocks and x.tail == "shift_inwards":
            base = minimum(base, maximum(sub(extent, factor), ZERO))
            size = minimum(factor, extent)
        elif not whole_blocks:
            size = minimum(factor, sub(extent, base))
        derived.extents[x.inner] = size
        values[x.var] = add(base, inner)
    # expressions of split and fused loops, down to the loops that exist
    parts = {loop_name(f.name, v): value for v, value in values.items()}
    resolved: dict[str, Expr] = {}

    def resolve(name: str) -> Expr:
        if name not in resolved:
            value = parts.get(name, Name(name))
            resolved[name] = algebra.substitute(value, {n: resolve(n) for n in names(value) & parts.keys()})
        return resolved[name]

    for name in (*parts, *(loop_name(f.name, x.name) for x in f.loops)):
        resolve(name)
    for key, extent in derived.extents.items():
        derived.extents[key] = algebra.substitute(extent, resolved)
    for arg, (lo, _) in zip(f.func.args, box, strict=True):
        derived.coords[arg.name] = add(lo, resolved[loop_name(f.name, arg.name)])
    _check_order(f, derived)
    return derived


def _check_order(f: FuncNest, derived: Derived) -> None:
    """The extent of a loop may depend on loops around it only."""
    outside: set[str] = set()
    mine = {loop_name(f.name, x.name) for x in f.loops}
    lanes = {loop_name(f.name, x.name) for x in f.loops if x.kind == "vectorized"}
    for loop in f.loops:
        inner = (names(derived.extents[loop.name]) & mine) - outside
        if inner:
            raise ScheduleError(
                f"loop {loop.name} of Func {f.name}: its extent depends on loop "
                f"{sorted(inner)[0].removeprefix(f'{f.name}.')} inside it, because its split has tail guard; "
                "keep it inside, or use tail shift_inwards"
            )
        if names(derived.extents[loop.name]) & lanes:
            raise ScheduleError(
                f"loop {loop.name} of Func {f.name}: its extent would differ from lane to lane, because the loop "
                "that its split made with tail guard is vectorized; vectorize another loop, or use tail shift_inwards"
            )
        outside.add(loop_name(f.name, loop.name))
