"""Times jobs in rounds: each round runs every job once, in a new order."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from autosched.tune.measure import settle

Job: TypeAlias = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Rounds:
    """How many rounds are run: at least `least`, then more until `seconds` have passed, at most `most`."""

    least: int
    most: int
    seconds: float


def interleave(
    jobs: Mapping[str, Job],
    rounds: Rounds,
    on_round: Callable[[int], None] = lambda done: None,
    before: Callable[[str], None] = lambda name: None,
) -> dict[str, list[float]]:
    """Seconds of every job in every round.

    Jobs of one round meet the same disturbances, and none of them always runs after the same other. What a job returns
    is released outside the timed region, where `before` is called with the name of the next job. Every job should have
    run before, so that nothing is compiled here.
    """
    times: dict[str, list[float]] = {name: [] for name in jobs}
    order = list(jobs)
    shuffle = random.Random(0).shuffle
    begin = time.perf_counter()
    done = 0
    collecting = gc.isenabled()
    gc.disable()
    try:
        while done < rounds.least or (done < rounds.most and time.perf_counter() - begin < rounds.seconds):
            gc.collect()
            shuffle(order)
            for name in order:
                before(name)
                times[name].append(_seconds(jobs[name]))
            done += 1
            on_round(done)
    finally:
        if collecting:
            gc.enable()
    return times


def _seconds(job: Job) -> float:
    settle()
    begin = time.perf_counter()
    result = job()
    end = time.perf_counter()
    del result
    return end - begin
