"""Several workloads: how fast each schedule is on each of them, and the fewest schedules that serve them all.

At run time a call takes the schedule of its bucket, so workloads that fall into one bucket share a schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune.bench import Bench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.finals import TIE, complexity
from autosched.tune.measure import Estimate, estimate, paired
from autosched.tune.rounds import play_rounds

#: How much slower than the best of a workload a schedule may be that serves it.
WITHIN = 0.03
#: Schedules up to which all sets are tried; beyond, the set grows greedily.
_ALL = 16


@dataclass(frozen=True)
class MatrixRow:
    """A workload: seconds of a run, round by round, of each schedule that works on it, by label.

    Attributes:
        bucket: the name of the bucket that it falls into.
        default: the label of that bucket's default, which ran twice in each round.
        again: its second times.
        items: what times are quoted per.
    """

    bucket: str
    default: str
    times: Mapping[str, tuple[float, ...]]
    again: tuple[float, ...]
    items: int = 1

    @property
    def rounds(self) -> int:
        return len(self.again)

    @cached_property
    def seconds(self) -> Mapping[str, Estimate]:
        """Seconds of a run of each schedule."""
        return {label: estimate(took) for label, took in self.times.items()}

    @cached_property
    def best(self) -> str:
        """The label of the fastest."""
        return min(self.seconds, key=lambda label: self.seconds[label].median)

    @cached_property
    def ratios(self) -> Mapping[str, Estimate]:
        """The time of each schedule over the fastest's, paired by rounds."""
        return {label: self.over(label, self.best) for label in self.times}

    def over(self, label: str, other: str) -> Estimate:
        """The time of a schedule over that of another, paired by rounds."""
        return paired(self.times[label], self.times[other])

    def slows(self, label: str) -> bool:
        """Whether a schedule is measurably slower than the default, and by more than a tie."""
        if label not in self.times:
            return False
        ratio = self.over(label, self.default)
        return ratio.low > 1 and ratio.median > 1 + TIE

    @property
    def noise(self) -> float:
        """The distance of the default from itself, as a fraction."""
        return paired(self.again, self.times[self.default]).noise

    def loss(self, label: str) -> float:
        """The time beyond the fastest's, as a fraction of that; infinite where the schedule fails."""
        ratio = self.ratios.get(label)
        return math.inf if ratio is None else max(ratio.median - 1, 0.0)


@dataclass(frozen=True)
class Matrix:
    """Schedules by label, and a row for each workload by its name."""

    schedules: Mapping[str, Schedule]
    rows: Mapping[str, MatrixRow]

    def buckets(self) -> dict[str, list[str]]:
        """The workloads of each bucket."""
        workloads: dict[str, list[str]] = {}
        for workload, row in self.rows.items():
            workloads.setdefault(row.bucket, []).append(workload)
        return workloads

    def loss(self, workloads: Sequence[str], label: str) -> float:
        """The largest loss of a schedule on some workloads."""
        return max(self.rows[w].loss(label) for w in workloads)


@dataclass(frozen=True)
class Cover:
    """The schedules that are kept, and which of them serves each bucket. `worst` is the largest loss on a workload."""

    kept: tuple[str, ...]
    serves: Mapping[str, str]
    worst: float


def row(
    bench: Bench,
    schedules: Mapping[str, Schedule],
    bucket: str,
    default: str,
    seconds: float,
    items: int = 1,
    say: Callable[[str], None] = lambda _: None,
) -> MatrixRow:
    """Time all `schedules` on the workload of a bench that is started; `default` is the label of its own default.

    Raises TuneError where the default does not work.
    """
    entered: list[tuple[str, Ready]] = []
    same: dict[str, str] = {}
    for label in sorted(schedules, key=lambda label: label != default):
        say(label)
        try:
            ready = bench.prepare(schedules[label])
        except CandidateError as error:
            if label == default:
                raise TuneError(f"the default schedule fails ({error.kind}): {error}") from None
            continue
        first = next((earlier for earlier, other in entered if other.source == ready.source), None)
        if first is None:
            entered.append((label, ready))
        else:
            same[label] = first
    (_, base), *others = entered
    try:
        played = play_rounds(
            bench, base, [r for _, r in others], seconds=seconds, twice=True, progress=lambda n: say(f"round {n}")
        )
    except CandidateError as error:
        raise TuneError(f"the default schedule fails ({error.kind}): {error}") from None
    took = {default: tuple(played.base)} | {others[i][0]: tuple(each) for i, each in played.others.items()}
    took |= {label: took[first] for label, first in same.items() if first in took}
    times = {label: took[label] for label in schedules if label in took}
    return MatrixRow(bucket, default, times, tuple(played.again), items)


def cover(matrix: Matrix, within: float = WITHIN) -> Cover:
    """The fewest schedules of which each bucket has one that loses at most `within` against the best of each workload.

    None of them is measurably slower than the default on a workload of a bucket that it serves: the default is there
    without a record. A bucket of which no schedule serves all workloads gets the one with the smallest loss. Of sets of
    one size that lose equally much, up to `TIE`, the one of the fewest directives wins. Buckets go to the member on
    which they lose least.
    """
    labels = list(matrix.schedules)
    needed: dict[str, frozenset[str]] = {}
    for bucket, workloads in matrix.buckets().items():
        least = min(matrix.loss(workloads, s) for s in labels)
        if math.isinf(least):
            raise TuneError(f"no schedule works on all workloads of bucket {bucket} ({', '.join(workloads)})")
        near = frozenset(s for s in labels if matrix.loss(workloads, s) <= max(within, least))
        slower = frozenset(s for s in near if any(matrix.rows[w].slows(s) for w in workloads))
        needed[bucket] = near - slower or near
    sets = _all_sets(labels, needed) if len(labels) <= _ALL else [_greedy(labels, needed)]
    covers = [_serve(matrix, kept) for kept in sets]
    equal = min(c.worst for c in covers) + TIE
    return min(
        (c for c in covers if c.worst <= equal),
        key=lambda c: (sum(complexity(matrix.schedules[s]) for s in c.kept), c.worst, c.kept),
    )


def _all_sets(labels: Sequence[str], needed: Mapping[str, frozenset[str]]) -> list[tuple[str, ...]]:
    """Every set of the smallest size that serves all."""
    size = 1
    while True:
        sets = [kept for kept in combinations(labels, size) if all(set(kept) & good for good in needed.values())]
        if sets:
            return sets
        size += 1


def _greedy(labels: Sequence[str], needed: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    left = dict(needed)
    kept: list[str] = []
    while left:
        best = max(labels, key=lambda s: sum(s in good for good in left.values()))
        kept.append(best)
        left = {w: good for w, good in left.items() if best not in good}
    return tuple(kept)


def _serve(matrix: Matrix, kept: tuple[str, ...]) -> Cover:
    buckets = matrix.buckets()
    serves = {b: min(kept, key=lambda s: matrix.loss(workloads, s)) for b, workloads in buckets.items()}
    return Cover(kept, serves, max(matrix.loss(buckets[b], s) for b, s in serves.items()))
