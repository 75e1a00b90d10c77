"""How many rows of the output are computed at once, against the sizes of the caches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from autosched.schedule import Schedule
from autosched.schedule.directives import ComputeAt, Parallel, Split
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.intervals import Interval, median, ratio_of_medians
from experiments.kernels import Bench, Variant, bench, kernels
from experiments.workloads import WORKLOADS

_WORKLOADS: Final = ("1920x1080", "3840x2160-max1003520")
_SECONDS = 5.0
_SQUARE = 28
#: Rows of patches in a strip; rows of tiles in a strip.
_PATCH_ROWS, _TILE_ROWS = (1, 2, 4, 8, 16, 32), (4, 8, 16, 32, 64, 112, 224)


def cases(selection: Selection) -> Iterator[Case]:
    """A case a family that has a kernel, and a workload, on one thread: each has caches of its own."""
    for name, kernel in kernels(selection) if 1 in selection.threads else ():
        for workload in selection.workloads or _WORKLOADS:
            yield Case(name, workload, 1, ("autosched",), partial(_measure, kernel, workload), _SECONDS)


def strips(made: Bench) -> dict[int, Schedule]:
    """Schedules by the rows of a strip: the default with other strips."""
    schedule = made.schedule("default")
    if "patches" in schedule.funcs:
        return {_SQUARE * rows: _patch_rows(schedule, rows) for rows in _PATCH_ROWS}
    return {rows: _tile_rows(schedule, rows) for rows in _TILE_ROWS}


def _patch_rows(schedule: Schedule, rows: int) -> Schedule:
    """Rows of patches are split; what was computed for one, or for half of one, is computed for several."""
    funcs = {
        func: tuple(
            ComputeAt("patches", "go")
            if d in (ComputeAt("patches", "gy"), ComputeAt("patches", "my"))
            else Parallel("go")
            if d == Parallel("gy")
            else d
            for d in items
        )
        for func, items in schedule.funcs.items()
    }
    return Schedule({**funcs, "patches": (Split("gy", "go", "gi", rows), *funcs["patches"])})


def _tile_rows(schedule: Schedule, rows: int) -> Schedule:
    """The split of rows of tiles gets another factor."""
    items = tuple(
        replace(d, factor=rows) if isinstance(d, Split) and d.var == "y" else d for d in schedule.funcs["tiles"]
    )
    return Schedule({**schedule.funcs, "tiles": items})


def _working_set(made: Bench, rows: int) -> float:
    """KiB of what one strip of the largest call keeps: source rows resized to the width, and itself."""
    binding = max(made.calls.bindings, key=lambda b: b.given["src"].size)
    source, begins = binding.given["src"], binding.given["y_begin"]
    width, taps = len(binding.given["x_begin"]), binding.given["y_taps"]
    last = min(rows, len(begins)) - 1
    between = int(begins[last] - begins[0]) + int(taps)
    return 3 * width * (min(between, int(source.shape[0])) + rows) / 1024


def _measure(kernel: str, workload: str, effort: Effort) -> Iterator[Number]:
    made = bench(kernel, WORKLOADS[workload])
    schedules = {str(rows): Variant(schedule) for rows, schedule in strips(made).items()}
    usual = str(_SQUARE if "patches" in made.schedule("default").funcs else 32)
    times = made.times(schedules, 1, effort)
    for rows, seconds in times.items():
        count = len(seconds)
        kept = _working_set(made, int(rows))
        ratio = ratio_of_medians(seconds, times[usual])
        yield Number("autosched", "time", median([1000 * s for s in seconds]), "ms", part=rows, repeats=count)
        yield Number("autosched", "time ratio", ratio, "x", part=rows, against=usual, repeats=count)
        yield Number("autosched", "working set", Interval(kept, kept, kept), "KiB", part=rows)


EXPERIMENTS.add(
    Experiment(
        "strips",
        "Rows of a strip and the caches",
        "How many rows should be computed at once, and what have the sizes of the caches to do with it?",
        cases,
        plots=("strips",),
    )
)
