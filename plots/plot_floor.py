"""Draws how far implementations are from the memory floor: reading the source and writing the output once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from experiments.results import RESULTS
from plots.panels import panels
from plots.tables import rows, script, threads_of

_SHOWN: Final = ("hf-torchvision", "hf-pil", "model-card", "hf-processors-rs", "halide", "autosched", "autosched-card")
_WORKLOADS: Final = ("640x480", "1920x1080", "w3", "w4", "3840x2160")


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a number of threads."""
    found = [
        row
        for row in rows("runtime", folder)
        if (row.measure, row.against) == ("times floor", "floor")
        and row.implementation in _SHOWN
        and row.workload in _WORKLOADS
    ]
    for threads in sorted({row.threads for row in found}):
        yield (
            f"floor-{threads_of(threads).replace(' ', '-')}",
            panels(
                [row for row in found if row.threads == threads],
                title="Distance to the memory floor; 1 would only move the bytes that must be moved",
                label="time over reading the source and writing a new output once, x (log)",
                log=True,
                base=1.0,
            ),
        )


if __name__ == "__main__":
    script(figures)
