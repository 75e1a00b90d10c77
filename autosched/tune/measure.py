"""Timing: interleaved with a rival, ended early where it is hopeless, summed up as medians with intervals."""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

Run = Callable[[], object]

#: A candidate whose first run takes so many times as long as the rival's is timed no further.
GIVE_UP = 2.0

#: How long one look at the process takes: the system may count the time of running threads once in 4 ms only.
_LOOK_SECONDS = 0.005
#: Of a CPU: what the other threads of a process take at most when none of them spins.
_IDLE = 0.05
_MOST_LOOKS = 20


@dataclass(frozen=True)
class Estimate:
    """A median and the interval that holds it with 95 % confidence."""

    median: float
    low: float
    high: float

    @property
    def noise(self) -> float:
        """Distance of a ratio from 1, as a fraction: of what is timed twice, the difference from itself."""
        return max(abs(self.low - 1), abs(self.high - 1))

    def scaled(self, factor: float) -> Estimate:
        return Estimate(self.median * factor, self.low * factor, self.high * factor)


def estimate(values: Sequence[float], resamples: int = 500) -> Estimate:
    """The median of `values` with its bootstrap interval; the same values give the same interval."""
    rng = random.Random(0)
    n = len(values)
    medians = sorted(statistics.median(rng.choices(values, k=n)) for _ in range(resamples))
    return Estimate(statistics.median(values), medians[int(0.025 * resamples)], medians[int(0.975 * resamples)])


def paired(times: Sequence[float], base: Sequence[float]) -> Estimate:
    """The ratio of times to those of a base: the median over the rounds in which both were taken."""
    return estimate([t / b for t, b in zip(times, base, strict=True)])


def nothing() -> None:
    """Do nothing between runs."""


def settle() -> None:
    """Wait until helper threads that still spin after the run before have gone to sleep; 5 ms where none do.

    libgomp's, which are torch's and Numba's, look for their next job for some 6 ms, and take the CPU of whoever runs
    then on as many threads. The wait is busy: a core that idles forgets its caches, which a run of half a millisecond
    pays for with a fifth of its time or more, and a server under load does not idle.
    """
    for _ in range(_MOST_LOOKS):
        used, begin = _helpers_seconds(), time.monotonic()
        while time.monotonic() - begin < _LOOK_SECONDS:
            pass
        if _helpers_seconds() - used < _IDLE * _LOOK_SECONDS:
            return


def _helpers_seconds() -> float:
    """Time that CPUs have spent on all threads but this one."""
    return time.process_time() - time.thread_time()


def clock(run: Run, between: Callable[[], None] = nothing) -> float:
    """Seconds that one run takes, after `between`, which is not timed."""
    between()
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


@contextmanager
def undisturbed() -> Iterator[None]:
    """Without Python's garbage collection, which would hit whoever happens to run."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@dataclass(frozen=True)
class Race:
    """Paired timings in seconds. `gave_up` says that the candidate was ended early as hopeless."""

    candidate: tuple[float, ...]
    rival: tuple[float, ...]
    gave_up: bool

    @property
    def ratio(self) -> float:
        """The candidate's time in units of the rival's: the median over pairs."""
        return statistics.median(c / r for c, r in zip(self.candidate, self.rival, strict=True))


def rounds(
    runs: Sequence[Run],
    *,
    seconds: float,
    least: int,
    most: int,
    progress: Callable[[int], None] = lambda _: None,
    between: Callable[[], None] = nothing,
) -> list[list[float]]:
    """Seconds of every run in every round. Each round times each run once, in an order that changes.

    At least `least` rounds, then until `seconds` are over or there are `most`.
    """
    times: list[list[float]] = [[] for _ in runs]
    order = list(range(len(runs)))
    rng = random.Random(0)
    with undisturbed():
        begin = time.perf_counter()
        while len(times[0]) < most and (len(times[0]) < least or time.perf_counter() - begin < seconds):
            rng.shuffle(order)
            for i in order:
                times[i].append(clock(runs[i], between))
            progress(len(times[0]))
    return times


def race(
    candidate: Run,
    rival: Run,
    *,
    seconds: float = 0.3,
    least: int = 3,
    most: int = 30,
    between: Callable[[], None] = nothing,
) -> Race:
    """Time both in turns, changing who goes first: at least `least` pairs, then until `seconds` are over.

    Both are expected to have run before, so that nothing is compiled or faulted in while the clock runs.
    """
    ours: list[float] = []
    theirs: list[float] = []
    with undisturbed():
        begin = time.perf_counter()
        while len(ours) < most and (len(ours) < least or time.perf_counter() - begin < seconds):
            if len(ours) % 2:
                theirs.append(clock(rival, between))
                ours.append(clock(candidate, between))
            else:
                ours.append(clock(candidate, between))
                theirs.append(clock(rival, between))
            if len(ours) == 1 and ours[0] > GIVE_UP * theirs[0]:
                # a second look, for the first may have been unlucky
                theirs.append(clock(rival, between))
                ours.append(clock(candidate, between))
                if ours[1] > GIVE_UP * theirs[1]:
                    return Race(tuple(ours), tuple(theirs), True)
    return Race(tuple(ours), tuple(theirs), False)
