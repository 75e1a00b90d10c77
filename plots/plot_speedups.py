"""Draws how many times faster than Hugging Face (or the model card) everything is, family by family."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from experiments.family import FAMILIES
from experiments.results import RESULTS
from plots.panels import panels
from plots.tables import rows, script, threads_of

#: Compared with its own reference, the PIL backend.
_LEFT_OUT: Final = "autosched-pil"


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a family and number of threads."""
    found = [
        row
        for row in rows("runtime", folder)
        if row.measure == "speedup"
        and row.against == FAMILIES[row.family].baselines[0] != row.implementation
        and row.implementation != _LEFT_OUT
    ]
    for family in FAMILIES.values():
        mine = [row for row in found if row.family == family.name]
        for threads in sorted({row.threads for row in mine}):
            yield (
                f"speedups-{family.name}-{threads_of(threads).replace(' ', '-')}",
                panels(
                    [row for row in mine if row.threads == threads],
                    title=f"Speed of {family.title} preprocessing, whole call from decoded images",
                    label=f"speed over {family.baselines[0]}, x (log)",
                    log=True,
                    base=1.0,
                ),
            )


if __name__ == "__main__":
    script(figures)
