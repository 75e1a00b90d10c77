"""Draws what more threads bring: the speed on all threads over that on one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from experiments.results import RESULTS
from plots.panels import panels
from plots.tables import rows, script


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """One figure, of the largest number of threads."""
    found = [row for row in rows("scaling", folder) if row.measure == "scaling"]
    most = max((row.threads for row in found), default=1)
    yield (
        "threads",
        panels(
            [row for row in found if row.threads == most],
            title=f"Thread scaling: speed on {most} threads over one, in the same rounds; {most} would be perfect",
            label="time on one thread over time on all, x",
            base=1.0,
        ),
    )


if __name__ == "__main__":
    script(figures)
