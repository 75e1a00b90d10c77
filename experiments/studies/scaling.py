"""What more threads bring: the same call on one thread and on all, in the same rounds of one process.

Between the two, torch is told how many threads it has, and has used them once before the time is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final

from experiments.cell import Cell
from experiments.exactness import InexactError, difference
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.family import FAMILIES
from experiments.implementation import NotAvailableError, Run
from experiments.intervals import median, ratio_of_medians
from experiments.runner import left_out
from experiments.timing import Job, interleave
from experiments.torch_threads import use_torch
from experiments.workloads import WORKLOADS

#: Those that can have other threads from one call to the next.
SCALED: Final = (
    "hf-torchvision", "hf-pil", "model-card", "hf-processors-rs",
    "autosched-v1", "autosched-v2", "autosched-v3", "autosched", "autosched-card",
)  # fmt: skip
_FAMILIES: Final = ("qwen2.5-vl", "internvl3.5", "llava-next", "qwen2.5-vl-video")
_WORKLOADS: Final = ("w1", "1920x1080", "w3", "w4", "video64")
_SECONDS: Final = 20.0


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family and workload, where there is more than one thread."""
    for name in selection.chosen(_FAMILIES, selection.families):
        family = FAMILIES[name]
        for workload in selection.workloads or (w for w in _WORKLOADS if w in family.workloads):
            for threads in selection.all_threads:
                wanted = selection.chosen(family.implementations, selection.implementations)
                names = tuple(n for n in SCALED if n in wanted)
                if threads > 1 and names:
                    cell = Cell(family, WORKLOADS[workload], threads)
                    yield Case(name, workload, threads, names, partial(measure, cell, names), _SECONDS)


def measure(cell: Cell, names: Iterable[str], effort: Effort) -> list[Number]:
    """Times implementations of a cell on one thread and on its threads. Raises InexactError where bits differ."""
    effort.say("preparing")
    counts = (1, cell.threads)
    jobs: dict[str, Job] = {}
    threads: dict[str, int] = {}
    timed: list[str] = []
    missing: list[Number] = []
    for name in names:
        try:
            runs = {count: cell.known[name].make(cell.family, cell.workload, count) for count in counts}
            _require_same(name, cell, runs)
        except NotAvailableError as reason:
            missing.append(left_out(name, str(reason)))
            continue
        timed.append(name)
        jobs |= {f"{name} {count}": partial(run, cell.images) for count, run in runs.items()}
        threads |= {f"{name} {count}": count for count in counts}
    times = interleave(
        jobs, effort.rounds, lambda n: effort.say(f"round {n}"), before=lambda job: use_torch(threads[job])
    )
    return [*_numbers(times, timed, counts), *missing]


def _require_same(name: str, cell: Cell, runs: dict[int, Run]) -> None:
    """Raises InexactError where the bits depend on the number of threads."""
    outputs = []
    for count, run in runs.items():
        use_torch(count)
        outputs.append(run(cell.images))
    problem = difference(*outputs)
    if problem:
        raise InexactError(f"{name} on {cell.workload.title} depends on the number of threads: {problem}")


def _numbers(times: dict[str, list[float]], names: Iterable[str], counts: tuple[int, int]) -> Iterator[Number]:
    for name in names:
        one, most = (times[f"{name} {count}"] for count in counts)
        for count, seconds in zip(counts, (one, most), strict=True):
            milliseconds = median([1000 * s for s in seconds])
            yield Number(name, "time", milliseconds, "ms", part=str(count), repeats=len(seconds))
        yield Number(name, "scaling", ratio_of_medians(one, most), "x", against="1", repeats=len(most))


EXPERIMENTS.add(
    Experiment(
        "scaling",
        "Thread scaling",
        "How many times faster is a call on all threads than on one?",
        cases,
        plots=("threads",),
    )
)
