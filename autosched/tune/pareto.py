"""Trade-offs: what nothing else beats in all respects at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def front(things: Sequence[T], costs: Callable[[T], Sequence[float]]) -> list[T]:
    """The things of which no other costs less in one respect and not more in the rest, the first respect in order.

    Of several with the same costs the first is kept.
    """
    ranked = sorted(((tuple(costs(thing)), i) for i, thing in enumerate(things)))
    kept: list[tuple[tuple[float, ...], int]] = []
    for cost, i in ranked:
        if not any(all(a <= b for a, b in zip(other, cost, strict=True)) for other, _ in kept):
            kept.append((cost, i))
    return [things[i] for _, i in kept]
