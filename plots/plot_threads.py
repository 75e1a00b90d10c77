"""Draws what more threads bring: the speed on the most threads over that on one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from experiments.results import RESULTS, Row
from plots.panels import panels
from plots.tables import rows, script

_SHOWN: Final = (
    "hf-torchvision", "hf-pil", "model-card", "hf-processors-rs", "halide", "opencv", "kornia-rs",
    "autosched-v1", "autosched-v2", "autosched-v3", "autosched", "autosched-card",
)  # fmt: skip
_WORKLOADS: Final = ("w1", "1920x1080", "w3", "w4")


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """One figure, where there are several numbers of threads."""
    times = [
        row
        for row in rows("runtime", folder)
        if row.measure == "time" and row.implementation in _SHOWN and row.workload in _WORKLOADS
    ]
    most = max((row.threads for row in times), default=1)
    found = scaling(times, most)
    yield (
        "threads",
        panels(
            found,
            title=f"Thread scaling: speed on {most} threads over one; {most} would be perfect",
            label="time on one thread over time on all, x (two runs: intervals hold both)",
        ),
    )


def scaling(times: Sequence[Row], most: int) -> list[Row]:
    """Ratios of times on one thread to those on `most`, as rows; bounds are of the bounds of both."""
    one = {(r.family, r.workload, r.implementation): r for r in times if r.threads == 1}
    made = []
    for row in times:
        alone = one.get((row.family, row.workload, row.implementation))
        if row.threads == most > 1 and alone is not None:
            value, low, high = alone.value / row.value, alone.low / row.high, alone.high / row.low
            made.append(replace(row, value=value, low=low, high=high))
    return made


if __name__ == "__main__":
    script(figures)
