"""Runs accelerated processors under a schedule of our choice, instead of the one that the library finds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

from autosched.schedule import Schedule
from autosched.vlm import calls, passes, patches, tiles
from autosched.vlm.passes import Algorithm
from experiments.implementation import NotAvailableError

#: From an algorithm, an image, the size that it is resized to and a number of threads.
Chooser: TypeAlias = Callable[[Any, Any, tuple[int, int], int], Schedule]


def named(name: str) -> Chooser:
    """The chooser of a named schedule; `default` is the built-in one. Raises NotAvailableError where there is none.

    Schedules are made once, as the library looks its own up once: making one takes a millisecond.
    """
    made: dict[tuple[Algorithm, str], Schedule] = {}

    def choose(algorithm: Algorithm, image: Any, size: tuple[int, int], threads: int) -> Schedule:
        bucket = passes.bucket_of(image, size)
        if (algorithm, bucket.name) not in made:
            known: dict[str, Any] = (patches if isinstance(algorithm, patches.PatchAlgorithm) else tiles).NAMED
            if name not in known:
                raise NotAvailableError(f"the algorithm {algorithm.name} has no schedule called {name}")
            made[algorithm, bucket.name] = known[name](algorithm, bucket)
        return made[algorithm, bucket.name]

    return choose


@contextmanager
def forced(choose: Chooser | None) -> Iterator[None]:
    """While it is entered, processors of this process take schedules from `choose`; None changes nothing."""
    library = calls.best_schedule
    calls.best_schedule = choose or library
    try:
        yield
    finally:
        calls.best_schedule = library


def used(choose: Chooser | None, run: Callable[[], object]) -> str:
    """A short name of the schedules that `run` asks for: other schedules give another name, none the empty one."""
    ask: Chooser = choose or calls.best_schedule
    seen: set[str] = set()

    def spy(algorithm: Algorithm, image: Any, size: tuple[int, int], threads: int) -> Schedule:
        schedule = ask(algorithm, image, size, threads)
        seen.add(f"{algorithm.name} {json.dumps(schedule.to_data(), sort_keys=True)}")
        return schedule

    with forced(spy):
        run()
    return hashlib.sha256("\n".join(sorted(seen)).encode()).hexdigest()[:12] if seen else ""
