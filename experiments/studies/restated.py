"""What saying the algorithm differently buys, with the same bits, and what only the schedule buys.

Restated: bytes of a channel put next to each other before rows are resized (`planes`), normalisation by an inverse and
a correction instead of a division, bytes put in the order of patches before they become values (`cut`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from autosched.schedule import Schedule
from autosched.schedule.directives import Loads
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.intervals import median, ratio_of_medians
from experiments.kernels import Bench, Variant, bench, kernels
from experiments.workloads import WORKLOADS

_WORKLOADS: Final = ("1920x1080", "3840x2160-max1003520")
_SECONDS = 5.0
BASE: Final = "restated and scheduled"


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family that has a kernel, a workload and a number of threads."""
    for name, kernel in kernels(selection):
        for workload in selection.workloads or _WORKLOADS:
            for threads in selection.threads:
                measure = partial(_measure, kernel, workload, threads)
                yield Case(name, workload, threads, ("autosched",), measure, _SECONDS)


def _from_source(schedule: Schedule) -> Schedule:
    """Rows are resized from interleaved bytes, as they come."""
    funcs = {func: items for func, items in schedule.funcs.items() if func != "planes"}
    first = tuple(
        Loads("src", "permute128") if isinstance(d, Loads) and d.source == "planes" else d for d in funcs["first"]
    )
    return Schedule({**funcs, "first": first})


def _variants(made: Bench) -> dict[str, Variant]:
    best, naive = made.schedule("default"), made.schedule("v1")
    plain = _from_source(best)
    variants = {
        BASE: Variant(best),
        "division": Variant(best, "division"),
        "table of 256 values": Variant(best, "table"),
        "interleaved bytes": Variant(plain),
        "schedule only": Variant(plain, "division"),
        "restated only": Variant(naive),
        "neither": Variant(naive, "division"),
    }
    if "cut" in best.funcs:
        straight = _from_source(made.schedule("v3"))
        variants["values in place"] = Variant(made.schedule("v3"))
        variants["schedule only"] = Variant(straight, "division")
    return {name: v for name, v in variants.items() if name == BASE or v != variants[BASE]}


def _measure(kernel: str, workload: str, threads: int, effort: Effort) -> Iterator[Number]:
    made = bench(kernel, WORKLOADS[workload])
    times = made.times(_variants(made), threads, effort)
    for name, seconds in times.items():
        count = len(seconds)
        yield Number("autosched", "time", median([1000 * s for s in seconds]), "ms", part=name, repeats=count)
        ratio = ratio_of_medians(seconds, times[BASE])
        yield Number("autosched", "time ratio", ratio, "x", part=name, against=BASE, repeats=count)


EXPERIMENTS.add(
    Experiment(
        "restated",
        "Restating the algorithm and scheduling it",
        "What does saying the same differently buy, and what does only the schedule buy?",
        cases,
        plots=("restated",),
    )
)
