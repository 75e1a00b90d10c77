"""Draws what each step from the naive to the tuned schedule is worth, and how fusion and vectors work together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.family import FAMILIES
from experiments.results import RESULTS, Row
from experiments.workloads import WORKLOADS
from plots import style
from plots.bars import Bar, grouped, height
from plots.tables import machine, rows, script, threads_of

#: Gains of steps, and the two conditions that fusion and vectors are each shown under.
_STEPS: Final = (
    "pointwise fusion", "storage in the cache", "lines past the caches", "tuning", "vectors", "parallel loop",
    "parallel axis", "everything",
)  # fmt: skip
_TOGETHER: Final = ("vectors, unfused", "vectors", "fusion, scalar", "fusion")


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """Two figures a number of threads."""
    found = rows("schedules", folder)
    for threads in sorted({row.threads for row in found}):
        mine = [row for row in found if row.threads == threads]
        suffix = threads_of(threads).replace(" ", "-")
        yield f"schedules-{suffix}", _figure(mine, _STEPS, "What each step of the schedule is worth")
        title = "Fusion and vectors: each is worth more where the other is"
        yield f"interaction-{suffix}", _figure(mine, _TOGETHER, title)


def _figure(found: Sequence[Row], steps: Sequence[str], title: str) -> Figure:
    gains = {(row.family, row.workload, row.part): row for row in found if row.measure == "gain"}
    places = sorted({key[:2] for key in gains}, key=lambda p: (list(FAMILIES).index(p[0]), list(WORKLOADS).index(p[1])))
    groups = {place: [_bar(gains[*place, s]) for s in steps if (*place, s) in gains] for place in places}
    shown = [(f"{FAMILIES[f].title}, {WORKLOADS[w].title}", groups[f, w]) for f, w in places]
    figure, axes = plt.subplots(figsize=(8.4, 1.0 + height(shown)), layout="constrained")
    grouped(axes, shown, log=True, base=1.0)
    axes.axvline(1, color=style.INK, linewidth=0.8)
    axes.set_xlabel("time of the slower over that of the faster schedule, x (log); kernels only, outputs in memory")
    where = f"{threads_of(found[0].threads)}, {machine(found)}"
    figure.suptitle(f"{title}\n{where}; lines are 95 % intervals", x=0.01, ha="left", fontsize=10)
    return figure


def _bar(row: Row) -> Bar:
    colour = style.COLOURS["autosched"] if row.low > 1 else style.PLAIN
    return Bar(f"{row.part} ({row.note or row.against})", row.value, row.low, row.high, colour)


if __name__ == "__main__":
    script(figures)
