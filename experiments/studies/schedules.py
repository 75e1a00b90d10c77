"""Schedules of one algorithm: what fusion, storage, vectors, the parallel loop and tuning are worth.

The class project concluded that where the passes are stored matters most, then which axis is parallel, then that
pointwise stages are fused. The gains here are of the same steps, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from autosched.schedule import Schedule
from autosched.schedule.directives import Parallel, Reorder
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.intervals import median, ratio_of_medians, ratio_of_ratios
from experiments.kernels import Variant, bench, kernels, replaced, scalar, without
from experiments.workloads import WORKLOADS

_WORKLOADS: Final = ("w1", "1920x1080")
_SECONDS = 6.0

#: The schedules of a family that are compared.
NAMED: Final = ("v1", "v2", "v3", "streamed", "fetched", "default")
#: What is gained: the slower schedule, then the faster one.
GAINS: Final = {
    "pointwise fusion": ("v1", "v2"),
    "storage in the cache": ("v2", "v3"),
    "lines past the caches": ("v3", "streamed"),
    "lines fetched early": ("v3", "fetched"),
    "tuning": ("default", "found"),
    "vectors": ("v3 scalar", "v3"),
    "vectors, unfused": ("v1 scalar", "v1"),
    "fusion": ("v1", "v3"),
    "fusion, scalar": ("v1 scalar", "v3 scalar"),
    "parallel loop": ("v3 serial", "v3"),
    "parallel axis": ("v2 channels", "v2"),
    "everything": ("v1 scalar", "found"),
}


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family that has a kernel, a workload and a number of threads."""
    for name, kernel in kernels(selection):
        for workload in selection.workloads or _WORKLOADS:
            for threads in selection.threads:
                measure = partial(_measure, kernel, workload, threads)
                yield Case(name, workload, threads, ("autosched",), measure, _SECONDS)


def _variants(made: dict[str, Schedule], threads: int) -> dict[str, Schedule]:
    """All schedules that are compared, made of the named ones."""
    found = {**made}
    for name in ("v1", "v2", "v3"):
        found[f"{name} scalar"] = scalar(made[name])
    if threads > 1:
        found["v3 serial"] = without(made["v3"], Parallel)
        found["v2 channels"] = made["v2"]
        for func in ("first", "resized"):
            changes = {Reorder(("y", "c", "x")): (Reorder(("c", "y", "x")),), Parallel("y"): (Parallel("c"),)}
            found["v2 channels"] = replaced(found["v2 channels"], func, changes)
    return found


def _measure(kernel: str, workload: str, threads: int, effort: Effort) -> Iterator[Number]:
    made = bench(kernel, WORKLOADS[workload])
    named = {name: made.schedule(name) for name in NAMED}
    variants = _variants({**named, "found": made.found(threads)}, threads)
    times = made.times({name: Variant(schedule) for name, schedule in variants.items()}, threads, effort)
    count = len(times["v1"])
    for name, seconds in times.items():
        yield Number("autosched", "time", median([1000 * s for s in seconds]), "ms", part=name, repeats=count)
    for gain, (slow, fast) in GAINS.items():
        if slow in times and fast in times:
            ratio = ratio_of_medians(times[slow], times[fast])
            note = "the same schedule: nothing was tuned here" if variants[slow] == variants[fast] else ""
            against = f"{slow} / {fast}"
            yield Number("autosched", "gain", ratio, "x", part=gain, against=against, repeats=count, note=note)
    both = ratio_of_ratios((times["v1"], times["v3"]), (times["v1 scalar"], times["v3 scalar"]))
    yield Number(
        "autosched",
        "interaction",
        both,
        "x",
        part="fusion and vectors",
        against="the gain of fusion with vectors over that without",
        repeats=count,
    )


EXPERIMENTS.add(
    Experiment(
        "schedules",
        "Versions of the schedule",
        "What is each step from the naive to the tuned schedule worth, and do fusion and vectors help each other?",
        cases,
        plots=("schedules",),
    )
)
