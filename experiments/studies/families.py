"""Every model with a drop-in against Hugging Face's two backends: time on one thread, and memory of a call."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from experiments.cell import FLOORS, Cell
from experiments.experiment import EXPERIMENTS, Case, Experiment, Selection
from experiments.family import FAMILIES, Family
from experiments.studies.peak_memory import SECONDS, peak
from experiments.workloads import WORKLOADS

_WORKLOADS: Final = ("640x480", "w1", "w2", "w3", "w4")
_SECONDS: Final = 3.0
#: The models of `runtime` are here too, with what all models have.
_NAMES: Final = ("hf-torchvision", "hf-pil", "autosched", "autosched-pil")
_HEAVY: Final = ("w2", "w3", "w4")
"""The workloads whose memory counts: outputs are larger than what a process needs anyway."""


def cases(selection: Selection) -> Iterator[Case]:
    """Per model and workload a case of times, and one of the memory of each of our drop-ins."""
    for name in selection.chosen(FAMILIES, selection.families) if 1 in selection.threads else ():
        family = FAMILIES[name]
        if not set(_NAMES) <= set(family.implementations):
            continue
        for workload in selection.chosen(_WORKLOADS, selection.workloads):
            yield _time(family, workload, selection)
            for ours in selection.chosen(("autosched", "autosched-pil"), selection.implementations):
                if workload in _HEAVY:
                    measure = partial(peak, name, workload, ours, 1)
                    yield Case(name, workload, 1, (ours,), measure, SECONDS, case=f"memory of {ours}")


def _time(family: Family, workload: str, selection: Selection) -> Case:
    names = tuple(dict.fromkeys([*family.baselines, *selection.chosen(_NAMES, selection.implementations)]))
    measure = partial(Cell(family, WORKLOADS[workload], 1).runtime, names)
    return Case(family.name, workload, 1, (*names, *FLOORS), measure, _SECONDS)


EXPERIMENTS.add(
    Experiment(
        "families",
        "Every model with a drop-in",
        "How much faster than Hugging Face's backends is every drop-in on one thread, and what memory does it need?",
        cases,
        plots=("families",),
        alone=True,
    )
)
