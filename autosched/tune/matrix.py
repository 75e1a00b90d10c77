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
from autosched.tune.measure import Estimate, estimate

#: How much slower than the best of a workload a schedule may be that serves it.
WITHIN = 0.03
#: Rounds without which there is no result, and beyond which nothing is gained.
LEAST, MOST = 7, 101
#: Schedules up to which all sets are tried; beyond, the set grows greedily.
_ALL = 16


@dataclass(frozen=True)
class Row:
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
        """How many times as long as the fastest each schedule takes, paired by rounds."""
        return {label: self.over(label, self.best) for label in self.times}

    def over(self, label: str, other: str) -> Estimate:
        """How many times as long as another a schedule takes, paired by rounds."""
        return estimate([a / b for a, b in zip(self.times[label], self.times[other], strict=True)])

    def slows(self, label: str) -> bool:
        """Whether a schedule is measurably slower than the default, and by more than a tie."""
        if label not in self.times:
            return False
        found = self.over(label, self.default)
        return found.low > 1 and found.median > 1 + TIE

    @property
    def noise(self) -> float:
        """How far the default is from itself, as a fraction."""
        ratio = estimate([a / b for a, b in zip(self.again, self.times[self.default], strict=True)])
        return max(abs(ratio.low - 1), abs(ratio.high - 1))

    def loss(self, label: str) -> float:
        """How much longer than the fastest, as a fraction; infinite where the schedule fails."""
        found = self.ratios.get(label)
        return math.inf if found is None else max(found.median - 1, 0.0)


@dataclass(frozen=True)
class Matrix:
    """Schedules by label, and a row for each workload by its name."""

    schedules: Mapping[str, Schedule]
    rows: Mapping[str, Row]

    def buckets(self) -> dict[str, list[str]]:
        """The workloads of each bucket."""
        made: dict[str, list[str]] = {}
        for workload, row in self.rows.items():
            made.setdefault(row.bucket, []).append(workload)
        return made

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
) -> Row:
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
        first = next((known for known, other in entered if other.source == ready.source), None)
        if first is None:
            entered.append((label, ready))
        else:
            same[label] = first
    while True:
        try:
            *times, again = bench.rounds(
                [*(ready for _, ready in entered), entered[0][1]], seconds=seconds, least=LEAST, most=MOST,
                progress=lambda n: say(f"round {n}"),
            )  # fmt: skip
            break
        except CandidateError as error:
            if not 0 < error.entered < len(entered):
                raise TuneError(f"the default schedule fails ({error.kind}): {error}") from None
            gone, _ = entered.pop(error.entered)
            same = {label: first for label, first in same.items() if first != gone}
    took = {label: tuple(each) for (label, _), each in zip(entered, times, strict=True)}
    took |= {label: took[first] for label, first in same.items()}
    return Row(bucket, default, {label: took[label] for label in schedules if label in took}, tuple(again), items)


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
    made = [_serve(matrix, kept) for kept in sets]
    equal = min(c.worst for c in made) + TIE
    return min(
        (c for c in made if c.worst <= equal),
        key=lambda c: (sum(complexity(matrix.schedules[s]) for s in c.kept), c.worst, c.kept),
    )


def _all_sets(labels: Sequence[str], needed: Mapping[str, frozenset[str]]) -> list[tuple[str, ...]]:
    """Every set of the smallest size that serves all."""
    size = 1
    while True:
        found = [kept for kept in combinations(labels, size) if all(set(kept) & good for good in needed.values())]
        if found:
            return found
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
