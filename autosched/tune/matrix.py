"""Several workloads: how fast each schedule is on each of them, and the fewest schedules that serve them all."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune.bench import Bench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.finals import complexity
from autosched.tune.measure import Estimate, estimate

#: How much slower than the best of a workload a schedule may be that serves it.
WITHIN = 0.03
#: Rounds without which there is no result, and beyond which nothing is gained.
LEAST, MOST = 7, 101
#: Schedules up to which all sets are tried; beyond, the set grows greedily.
_ALL = 16


@dataclass(frozen=True)
class Matrix:
    """Seconds of a run by workload and schedule: medians of interleaved rounds, and their ratio to the workload's best.

    A schedule that fails on a workload has no entry there.
    """

    schedules: Mapping[str, Schedule]
    seconds: Mapping[str, Mapping[str, float]]
    ratios: Mapping[str, Mapping[str, Estimate]]

    def loss(self, workload: str, schedule: str) -> float:
        """How much longer than the best of the workload, as a fraction; infinite where the schedule fails."""
        found = self.ratios[workload].get(schedule)
        return math.inf if found is None else found.median - 1


@dataclass(frozen=True)
class Cover:
    """The schedules that are kept, and which of them serves each workload. `worst` is the largest loss."""

    kept: tuple[str, ...]
    serves: Mapping[str, str]
    worst: float


def row(
    bench: Bench, schedules: Mapping[str, Schedule], seconds: float, say: Callable[[str], None] = lambda _: None
) -> tuple[dict[str, float], dict[str, Estimate]]:
    """A workload's seconds and ratios, of those schedules that work on it. The bench is started.

    Raises TuneError where none works.
    """
    entered: list[tuple[str, Ready]] = []
    same: dict[str, str] = {}
    for label, schedule in schedules.items():
        say(label)
        try:
            ready = bench.prepare(schedule)
        except CandidateError:
            continue
        first = next((known for known, other in entered if other.source == ready.source), None)
        if first is None:
            entered.append((label, ready))
        else:
            same[label] = first
    while entered:
        try:
            times = bench.rounds(
                [ready for _, ready in entered], seconds=seconds, least=LEAST, most=MOST,
                progress=lambda n: say(f"round {n}"),
            )  # fmt: skip
            break
        except CandidateError as error:
            gone, _ = entered.pop(error.entered)
            same = {label: first for label, first in same.items() if first != gone}
    else:
        raise TuneError(f"none of the schedules works: {', '.join(schedules)}")
    medians = {label: statistics.median(took) for (label, _), took in zip(entered, times, strict=True)}
    best = times[[label for label, _ in entered].index(min(medians, key=lambda label: medians[label]))]
    ratios = {
        label: estimate([t / b for t, b in zip(took, best, strict=True)])
        for (label, _), took in zip(entered, times, strict=True)
    }
    for label, first in same.items():
        medians[label], ratios[label] = medians[first], ratios[first]
    return medians, ratios


def cover(matrix: Matrix, within: float = WITHIN) -> Cover:
    """The fewest schedules of which each workload has one that loses at most `within` against its best.

    Of sets of one size the one with the smallest worst loss, then of the fewest directives. Workloads go to the member
    on which they lose least.
    """
    labels = list(matrix.schedules)
    needed = {w: frozenset(s for s in labels if matrix.loss(w, s) <= within) for w in matrix.ratios}
    sets = _all_sets(labels, needed) if len(labels) <= _ALL else [_greedy(labels, needed)]
    made = [_serve(matrix, kept) for kept in sets]
    return min(made, key=lambda c: (c.worst, sum(complexity(matrix.schedules[s]) for s in c.kept), c.kept))


def _all_sets(labels: Sequence[str], needed: Mapping[str, frozenset[str]]) -> list[tuple[str, ...]]:
    """Every set of the smallest size that serves all."""
    for size in range(1, len(labels) + 1):
        found = [kept for kept in combinations(labels, size) if all(set(kept) & good for good in needed.values())]
        if found:
            return found
    raise TuneError("a workload has no schedule that works")


def _greedy(labels: Sequence[str], needed: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    left = dict(needed)
    kept: list[str] = []
    while left:
        best = max(labels, key=lambda s: sum(s in good for good in left.values()))
        kept.append(best)
        left = {w: good for w, good in left.items() if best not in good}
    return tuple(kept)


def _serve(matrix: Matrix, kept: tuple[str, ...]) -> Cover:
    serves = {w: min(kept, key=lambda s: matrix.loss(w, s)) for w in matrix.ratios}
    return Cover(kept, serves, max(matrix.loss(w, s) for w, s in serves.items()))
