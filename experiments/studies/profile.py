"""Where existing implementations spend their time, and how much of it is moving memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np

from experiments.exactness import output_bytes
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.family import FAMILIES, Family
from experiments.implementation import IMPLEMENTATIONS, Images, NotAvailableError, Run
from experiments.intervals import Interval, median
from experiments.runner import left_out
from experiments.stages import COMPUTE, REST, STAGES, Trace, traced
from experiments.timing import interleave
from experiments.torch_threads import limit_torch
from experiments.workloads import WORKLOADS, Workload

_WORKLOADS: Final = ("1920x1080", "w3")
_PROFILED: Final = ("hf-torchvision", "hf-pil", "model-card", "autosched", "autosched-card")
_SECONDS = 2.5
"""Of each implementation."""
_COPIED = 1 << 26
"""Bytes of the array whose copies tell how fast memory can be moved; more than the caches hold."""


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family, workload and number of threads."""
    for family in FAMILIES.values():
        if selection.families and family.name not in selection.families:
            continue
        names = [name for name in family.implementations if name in _PROFILED]
        names = selection.chosen(names, selection.implementations)
        for workload in selection.workloads or (name for name in _WORKLOADS if name in family.workloads):
            for threads in selection.threads:
                measure = partial(_measure, family, WORKLOADS[workload], threads, names)
                yield Case(family.name, workload, threads, tuple(names), measure, _SECONDS)


def _measure(family: Family, workload: Workload, threads: int, names: Sequence[str], effort: Effort) -> list[Number]:
    limit_torch(threads)
    images = workload.images()
    numbers: list[Number] = []
    for name in names:
        effort.say(name)
        try:
            run = IMPLEMENTATIONS[name].make(family, workload, threads)
            numbers += _profile(name, run, _class(family, workload, name), images, effort)
        except NotAvailableError as reason:
            numbers.append(left_out(name, str(reason)))
    return numbers


def _class(family: Family, workload: Workload, name: str) -> type | None:
    """The class whose methods are stages."""
    if name not in ("hf-torchvision", "hf-pil"):
        return None
    return type(family.processor(workload, "pil" if name == "hf-pil" else "torchvision"))


def _profile(name: str, run: Run, processor: type | None, images: Images, effort: Effort) -> Iterator[Number]:
    """Milliseconds and shares by stage, and bytes by stage."""
    traces: list[Trace] = []

    def once() -> None:
        with traced(processor) as trace:
            trace.call(REST, run, images)
        traces.append(trace)

    output = run(images)
    size = output_bytes(output)
    once()
    traces.clear()
    source, target = np.zeros(_COPIED, np.uint8), np.zeros(_COPIED, np.uint8)
    times = interleave({"call": once, "copy": partial(np.copyto, target, source)}, effort.rounds)
    bytes_a_second = 2 * _COPIED / float(np.median(times["copy"]))
    with traced(processor, counting=True) as counted:
        counted.call(REST, run, images)
    found = [stage for stage in STAGES if any(stage in trace.seconds for trace in traces)]
    wholes = [sum(trace.seconds.values()) for trace in traces]

    def number(measure: str, interval: Interval, unit: str, stage: str = "") -> Number:
        return Number(name, measure, interval, unit, part=stage, repeats=len(traces))

    for stage in found:
        each = [trace.seconds.get(stage, 0.0) for trace in traces]
        yield number("time", median([1000 * seconds for seconds in each]), "ms", stage)
        yield number("share", median([s / whole for s, whole in zip(each, wholes, strict=True)]), "of the call", stage)
        moved = counted.moved.get(stage, 0) / size
        if moved:
            yield number("moved", Interval(moved, moved, moved), "x output", stage)
    yield number("time", median([1000 * seconds for seconds in wholes]), "ms")
    moving = [sum(s for stage, s in t.seconds.items() if stage not in (*COMPUTE, REST)) for t in traces]
    yield number("moving stages", median([m / w for m, w in zip(moving, wholes, strict=True)]), "of the call")
    moved = sum(counted.moved.values())
    if moved:
        yield number("moved", Interval(*[moved / size] * 3), "x output")
        copies = [moved / bytes_a_second / whole for whole in wholes]
        yield number("copying as much", median(copies), "of the call")


EXPERIMENTS.add(
    Experiment(
        "profile",
        "Where a call spends its time",
        "How long does each stage take, how many bytes does it move, and how much of the call is moving memory?",
        cases,
        plots=("profile",),
    )
)
