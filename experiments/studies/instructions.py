"""Instructions of a call, where `perf` counts them: a number that other programs do not disturb."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from experiments import instructions
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.family import FAMILIES
from experiments.intervals import Interval

_WORKLOADS: Final = ("1920x1080",)
_LEFT_OUT: Final = ("hf-compiled", "halide-adams2019")
"""Take half a minute to compile in every process."""


def cases(selection: Selection) -> Iterator[Case]:
    """A case an implementation, on one thread: others wait in loops that count."""
    for family in selection.chosen(FAMILIES, selection.families) if 1 in selection.threads else ():
        known = [name for name in FAMILIES[family].implementations if name not in _LEFT_OUT]
        for workload in selection.workloads or [name for name in _WORKLOADS if name in FAMILIES[family].workloads]:
            for name in selection.chosen(known, selection.implementations):
                measure = partial(_measure, family, workload, name)
                yield Case(family, workload, 1, (name,), measure, 0.0, case=name)


def _measure(family: str, workload: str, name: str, effort: Effort) -> list[Number]:
    millions = instructions.measure(family, workload, name, 1) / 1e6
    return [Number(name, "instructions", Interval(millions, millions, millions), "million")]


EXPERIMENTS.add(
    Experiment(
        "instructions",
        "Instructions of a call",
        "How many instructions does a call execute, where perf counts them?",
        cases,
    )
)
