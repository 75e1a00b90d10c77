"""Draws what restating the algorithm buys and what only the schedule buys: time over that of both together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.family import FAMILIES
from experiments.results import RESULTS, Row
from experiments.workloads import WORKLOADS
from plots import style
from plots.bars import Bar, grouped, height
from plots.tables import machine, rows, script, threads_of

#: In the order of the figure.
_ORDER = (
    "table of 256 values", "division", "interleaved bytes", "values in place", "schedule only", "restated only",
    "neither",
)  # fmt: skip


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a number of threads."""
    found = [row for row in rows("restated", folder) if row.measure == "time ratio" and row.part in _ORDER]
    for threads in sorted({row.threads for row in found}):
        mine = [row for row in found if row.threads == threads]
        yield f"restated-{threads_of(threads).replace(' ', '-')}", _figure(mine)


def _figure(found: Sequence[Row]) -> Figure:
    places = sorted(
        {(row.family, row.workload) for row in found},
        key=lambda place: (list(FAMILIES).index(place[0]), list(WORKLOADS).index(place[1])),
    )
    by_part = {(row.family, row.workload, row.part): row for row in found}
    shown = [
        (
            f"{FAMILIES[f].title}, {WORKLOADS[w].title}",
            [_bar(by_part[f, w, part]) for part in _ORDER if (f, w, part) in by_part],
        )
        for f, w in places
    ]
    figure, axes = plt.subplots(figsize=(8.4, 1.0 + height(shown)), layout="constrained")
    grouped(axes, shown, log=True, base=1.0)
    axes.axvline(1, color=style.INK, linewidth=0.8)
    axes.set_xlabel("time over that of the restated algorithm under its schedule, x (log); kernels only")
    where = f"{threads_of(found[0].threads)}, {machine(found)}"
    title = "The same bits said differently (orange), scheduled differently (blue), or both (grey)"
    figure.suptitle(f"{title}\n{where}; lines are 95 % intervals", x=0.01, ha="left", fontsize=10)
    return figure


def _bar(row: Row) -> Bar:
    colour = {"restated only": style.COLOURS["autosched-v2"], "neither": style.PLAIN}.get(
        row.part, style.COLOURS["autosched-default"]
    )
    return Bar(row.part, row.value, row.low, row.high, colour)


if __name__ == "__main__":
    script(figures)
