"""Where in memory an access is, of which each lane has its own: what they have in common is found once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autosched.lower import algebra
from autosched.lower.algebra import ZERO, add, mul
from autosched.lower.ir import Const, Expr, Name
from autosched.lower.lanes import Lanes, affine, depends
from autosched.lower.stages import Storage


@dataclass(frozen=True)
class Address:
    """Where the lanes of an access are.

    Lane i is `i * step` bytes from `base`, and what the `irregular` coordinates add to that: for each the elements from
    the origin, and the bytes from one to the next.
    """

    base: Expr
    step: int
    irregular: tuple[tuple[Expr, Expr], ...]

    def steps_by(self, size: int) -> bool:
        """Whether lanes are `size` bytes apart, and nothing else is between them."""
        return not self.irregular and self.step == size


def address(storage: Storage, index: tuple[Expr, ...]) -> Expr:
    """The address of an element."""
    out: Expr = Name(storage.buffer)
    for offset, stride in zip(storage.offsets(index), storage.strides, strict=True):
        out = add(out, mul(offset, stride))
    return out


def split(storage: Storage, index: tuple[Expr, ...], ctx: Lanes, scalar: Callable[[Expr], Expr]) -> Address:
    """The address of each lane's element. `scalar` lowers the lane-invariant parts of the index."""
    base: Expr = Name(storage.buffer)
    step = 0
    irregular: list[tuple[Expr, Expr]] = []
    offsets = storage.offsets(index)
    # coordinates of a fused loop are quotients and remainders, whose sum may still be regular where memory is dense
    bytes_known = [mul(o, s) for o, s in zip(offsets, storage.strides, strict=True) if isinstance(s, Const)]
    together = affine(add(ZERO, *bytes_known), ctx)
    if together is not None:
        base, step = add(base, scalar(together[0])), together[1]
    for offset, stride in zip(offsets, storage.strides, strict=True):
        known = algebra.value_of(stride)
        if together is not None and known is not None:
            continue
        parts = affine(offset, ctx) if depends(offset, ctx) else (offset, 0)
        if parts is None or (parts[1] and known is None):
            irregular.append((offset, stride))
            continue
        first, growth = parts
        base = add(base, mul(scalar(first), stride))
        step += growth * (known or 0)
    return Address(base, step, tuple(irregular))
