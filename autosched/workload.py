"""What a kernel is timed on: bindings, workloads, and the buckets that workloads fall into. Imports nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, eq=False)
class Binding:
    """One call of a kernel: its inputs and params by name, and the shape of its output.

    `expected` is the output where the one who made the binding knows it by other means; None leaves it to the
    interpreter.
    """

    given: Mapping[str, Any]
    shape: tuple[int, ...]
    expected: Any = None


@dataclass(frozen=True)
class Bucket:
    """A region of workloads that one schedule serves.

    `measures` place it: positive numbers by name, such as the pixels read or the ratio of a resize. Only their ratios
    between buckets matter.
    """

    name: str
    measures: Mapping[str, float] = field(default_factory=dict)

    def distance(self, measures: Mapping[str, float]) -> float:
        """How far `measures` are: the sum of the factors between them, in powers of two; infinite if names differ."""
        if self.measures.keys() != measures.keys():
            return math.inf
        return sum(abs(math.log2(self.measures[name] / measures[name])) for name in measures)


#: The bucket of a kernel that has one schedule for all workloads.
ANY: Final = Bucket("any")


@dataclass(frozen=True, eq=False)
class Workload:
    """Calls that are made together, as one list of ranges on the thread pool.

    `items` is what times are quoted per: the number of images, for example. `checks` makes further bindings that a
    schedule must get right and that are not timed.
    """

    name: str
    bindings: tuple[Binding, ...]
    measures: Mapping[str, float] = field(default_factory=dict)
    items: int = 1
    checks: Callable[[], tuple[Binding, ...]] = tuple


def nearest(measures: Mapping[str, float], buckets: Iterable[Bucket]) -> Bucket | None:
    """The bucket that `measures` fall into; None where none has the same measures."""
    ranked = [(bucket.distance(measures), i, bucket) for i, bucket in enumerate(buckets)]
    best = min(ranked, default=None, key=lambda r: r[:2])
    return best[2] if best is not None and math.isfinite(best[0]) else None
