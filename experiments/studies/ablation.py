"""What each directive of the schedule, and each choice of each knob of the search space, is worth.

The same as `autosched ablate`, for several kernels: directives left out of the schedule that is found on this machine,
knobs changed one at a time at the default point, all in the same rounds; importances of knobs where it was tuned here.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from autosched.cli.ablate import importances, measured
from autosched.cli.samples import sample, space_of
from autosched.errors import TuneError
from autosched.tune import Method
from autosched.tune.ablation import AblationRow
from autosched.tune.space_file import WorkloadSpec
from autosched.vlm.load import load
from autosched.vlm.registry import get
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.implementation import NotAvailableError
from experiments.intervals import Interval
from experiments.kernels import kernels

#: Workloads of the search spaces.
_WORKLOAD: Final = "1080p"
_SECONDS = 30.0
_UNKNOWN = Interval(0.0, 0.0, 0.0)


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family that has a kernel, on all threads."""
    for name, kernel in kernels(selection):
        for threads in selection.all_threads:
            for workload in selection.workloads or (_WORKLOAD,):
                measure = partial(_measure, kernel, workload, threads)
                yield Case(name, workload, threads, ("autosched",), measure, _SECONDS)


def _measure(kernel: str, workload: str, threads: int, effort: Effort) -> Iterator[Number]:
    family = get(kernel)
    file = space_of(family)
    known = {spec.name: spec for spec in file.workloads}
    sampled = sample(family, known.get(workload, WorkloadSpec(workload)), None)
    tuned = load(kernel, bucket=sampled.bucket.name, threads=threads)
    try:
        effort.say("compiling and timing")
        rows = measured(tuned, sampled, file.space, (), effort.seconds)
    except TuneError as error:
        raise NotAvailableError(str(error)) from error
    rows += importances(family, file.space, sampled, threads, Method())
    for row in rows:
        yield _number(row, f"schedule: {tuned.answer.rung}")


def _number(row: AblationRow, note: str) -> Number:
    measure = "share" if row.part == "importance" else "time ratio"
    against = {"leave-one-out": "with it", "one-at-a-time": "default point"}.get(row.part, "")
    part = f"{row.part}: {row.what}"
    if row.ratio is None:
        return Number("autosched", row.kind, _UNKNOWN, "", part=part, against=against, note=note)
    interval = Interval(row.ratio.median, row.ratio.low, row.ratio.high)
    told = note if row.kind == "ok" else f"{row.kind}; {note}"
    return Number("autosched", measure, interval, "x" if measure == "time ratio" else "", part, against, note=told)


EXPERIMENTS.add(
    Experiment(
        "ablation",
        "Directives and knobs",
        "What is each directive of the schedule worth, and each choice of each knob?",
        cases,
        plots=("ablation",),
    )
)
