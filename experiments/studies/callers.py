"""Many threads that call one processor at once, as a server's do: images a second, ours and Hugging Face's."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from experiments.exactness import InexactError, difference
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.family import FAMILIES, Family
from experiments.implementation import IMPLEMENTATIONS, Run
from experiments.intervals import median, ratio_of_medians
from experiments.timing import Job, interleave
from experiments.torch_threads import limit_torch
from experiments.workloads import WORKLOADS, Workload

CALLERS: Final = 8
_CALLS: Final = 24
"""Calls of a round, of all callers together."""
_FAMILIES: Final = ("qwen2.5-vl", "internvl3.5", "llava-next", "siglip")
_WORKLOADS: Final = ("640x480", "w1")
_NAMES: Final = ("hf-torchvision", "autosched")
_SECONDS: Final = 8.0


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family and workload; a call may use as many threads as the case has."""
    for family in selection.chosen(_FAMILIES, selection.families):
        for workload in selection.workloads or _WORKLOADS:
            for threads in selection.threads:
                measure = partial(_measure, FAMILIES[family], WORKLOADS[workload], threads)
                yield Case(family, workload, threads, _NAMES, measure, _SECONDS)


def _measure(family: Family, workload: Workload, threads: int, effort: Effort) -> Iterator[Number]:
    limit_torch(threads)
    images = workload.images()
    runs: dict[str, Run] = {name: IMPLEMENTATIONS[name].make(family, workload, threads) for name in _NAMES}
    theirs, ours = (run(images) for run in runs.values())
    if problem := difference(ours, theirs):
        raise InexactError(f"autosched on {workload.title} is not hf-torchvision bit for bit: {problem}")
    with ThreadPoolExecutor(CALLERS) as pool:

        def job(run: Run) -> None:
            list(pool.map(lambda _: run(images), range(_CALLS)))

        jobs: dict[str, Job] = {name: partial(job, run) for name, run in runs.items()}
        for each in jobs.values():
            each()
        times = interleave(jobs, effort.rounds, lambda n: effort.say(f"round {n}"))
    first = times[_NAMES[0]]
    for name, found in times.items():
        rate = median([_CALLS * len(images) / seconds for seconds in found])
        yield Number(name, "throughput", rate, "images/s", repeats=len(found))
        if name != _NAMES[0]:
            yield Number(name, "speedup", ratio_of_medians(first, found), "x", against=_NAMES[0], repeats=len(found))


EXPERIMENTS.add(
    Experiment(
        "callers",
        f"{CALLERS} threads that call at once",
        f"How many images a second does one processor do for {CALLERS} threads that call it at once?",
        cases,
    )
)
