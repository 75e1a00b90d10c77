"""Runtime of everything that preprocesses a family's images, on its workloads, on one thread and on all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from experiments.cell import FLOORS, Cell
from experiments.experiment import EXPERIMENTS, Case, Experiment, Selection
from experiments.family import FAMILIES, Family
from experiments.workloads import WORKLOADS

_SECONDS = 6.0


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family, workload and number of threads."""
    for family in FAMILIES.values():
        if selection.families and family.name not in selection.families:
            continue
        for workload in selection.workloads or family.workloads:
            for threads in selection.threads:
                yield _case(family, workload, threads, selection)


def _case(family: Family, workload: str, threads: int, selection: Selection) -> Case:
    wanted = selection.chosen(family.implementations, selection.implementations)
    names = tuple(dict.fromkeys([*family.baselines, *wanted]))
    measure = partial(Cell(family, WORKLOADS[workload], threads).runtime, names)
    return Case(family.name, workload, threads, (*names, *FLOORS), measure, _SECONDS)


EXPERIMENTS.add(
    Experiment(
        "runtime",
        "Runtime of existing implementations and of autosched",
        "How long does a whole call take, from decoded images to tensors, and how far is it from moving the bytes?",
        cases,
        plots=("runtime", "speedups", "floor"),
    )
)
