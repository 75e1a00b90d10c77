"""Draws peak memory of a call over its output, each measured in a clean process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib.figure import Figure

from experiments.results import RESULTS
from plots.panels import panels
from plots.tables import rows, script, threads_of


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a number of threads."""
    found = [row for row in rows("memory", folder) if row.measure == "peak memory"]
    for threads in sorted({row.threads for row in found}):
        yield (
            f"memory-{threads_of(threads).replace(' ', '-')}",
            panels(
                [row for row in found if row.threads == threads],
                title="Peak memory of a call, in a clean process; 1 is the output alone",
                label="peak resident memory of a call over its output, x",
                base=0.0,
            ),
        )


if __name__ == "__main__":
    script(figures)
