"""Draws how long existing implementations and autosched take: milliseconds an image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from experiments.results import RESULTS, Row
from experiments.workloads import WORKLOADS
from plots.panels import panels
from plots.tables import rows, script, threads_of

_SHOWN: Final = (
    "hf-torchvision",
    "hf-pil",
    "hf-compiled",
    "model-card",
    "hf-processors-rs",
    "autosched",
    "autosched-card",
)
_WORKLOADS: Final = ("w1", "1920x1080", "w3", "w4", "video64")


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a number of threads."""
    found = [
        row
        for row in rows("runtime", folder)
        if row.measure == "time" and row.implementation in _SHOWN and row.workload in _WORKLOADS
    ]
    for threads in sorted({row.threads for row in found}):
        yield (
            f"runtime-{threads_of(threads).replace(' ', '-')}",
            panels(
                [row for row in found if row.threads == threads],
                title="Existing implementations of image preprocessing, and autosched",
                label="whole call from decoded images to tensors, ms an image (log)",
                log=True,
                base=0.5,
                marked=False,
                scale=_an_image,
            ),
        )


def _an_image(row: Row) -> float:
    return 1 / len(WORKLOADS[row.workload].sizes)


if __name__ == "__main__":
    script(figures)
