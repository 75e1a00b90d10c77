"""Peak memory of a call over its output, each in a clean process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from experiments import memory
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.family import FAMILIES
from experiments.intervals import Interval

_WORKLOADS = ("w2", "w4")
_LEFT_OUT = ("hf-compiled", "halide-adams2019")
"""Take half a minute to compile in every process."""

_MEGABYTE = 1e6
SECONDS = 8.0
"""What a process takes, about."""


def cases(selection: Selection) -> Iterator[Case]:
    """A case an implementation on all threads, so that a run can be stopped between any two processes."""
    for family in FAMILIES.values():
        if selection.families and family.name not in selection.families:
            continue
        names = selection.implementations or [n for n in family.implementations if n not in _LEFT_OUT]
        for workload in selection.workloads or (name for name in _WORKLOADS if name in family.workloads):
            for threads in selection.all_threads:
                for name in names:
                    measure = partial(peak, family.name, workload, name, threads)
                    yield Case(family.name, workload, threads, (name,), measure, SECONDS, case=name)


def peak(family: str, workload: str, name: str, threads: int, effort: Effort) -> list[Number]:
    """The peak of a call over its output, what is beside the output, and the output."""
    found = memory.measure(family, workload, name, threads)

    def number(measure: str, value: float, unit: str) -> Number:
        return Number(name, measure, Interval(value, value, value), unit)

    return [
        number("peak memory", found.ratio, "x output"),
        number("extra memory", found.extra / _MEGABYTE, "MB"),
        number("output", found.output / _MEGABYTE, "MB"),
    ]


EXPERIMENTS.add(
    Experiment(
        "memory",
        "Peak memory of existing implementations and of autosched",
        "How much memory does a call need at its peak, relative to what it returns?",
        cases,
        plots=("memory", "pareto"),
    )
)
