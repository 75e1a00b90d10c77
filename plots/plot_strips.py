"""Draws how long kernels take against what a strip keeps in memory, with the sizes of the caches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from autosched.runtime.cpu import fingerprint
from experiments.family import FAMILIES
from experiments.results import RESULTS, Row
from experiments.workloads import WORKLOADS
from plots import style
from plots.tables import machine, rows, script, threads_of

_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7")


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A panel a workload, a line a family."""
    found = rows("strips", folder)
    workloads = [name for name in WORKLOADS if any(row.workload == name for row in found)]
    families = [name for name in FAMILIES if any(row.family == name for row in found)]
    if not workloads:
        return
    figure, grid = plt.subplots(
        1, len(workloads), figsize=(4.3 * len(workloads), 3.6), squeeze=False, sharey=True, layout="constrained"
    )
    caches = {"L1": fingerprint().l1d, "L2": fingerprint().l2, "L3": fingerprint().l3}
    here = machine(found).endswith(f"({fingerprint().cpu_class})")
    for axes, workload in zip(grid[0], workloads, strict=True):
        for family, colour in zip(families, _COLOURS, strict=False):
            mine = [row for row in found if (row.workload, row.family) == (workload, family)]
            if mine:
                _line(axes, mine, family, colour)
        axes.set_xscale("log", base=2)
        for name, size in caches.items() if here else ():
            if size:
                axes.axvline(size / 1024, color=style.PLAIN, linewidth=0.8, linestyle=":")
                axes.annotate(name, (size / 1024, 0.99), xycoords=("data", "axes fraction"), va="top", fontsize=7)
        axes.axhline(1, color=style.INK, linewidth=0.6)
        axes.set_title(WORKLOADS[workload].title, loc="left", fontsize=9, fontweight="bold")
        axes.set_xlabel("what a strip keeps, KiB (log); numbers are its rows")
        ticks = [2**e for e in range(4, 17, 2)]
        low, high = axes.get_xlim()
        axes.set_xticks([t for t in ticks if low <= t <= high], [f"{t}" for t in ticks if low <= t <= high])
    grid[0, 0].set_ylabel("time over that of the usual strip, x")
    grid[0, 0].legend(fontsize=7, frameon=False, loc="upper left", bbox_to_anchor=(0.0, 0.95))
    title = f"Rows of a strip against the caches\n{threads_of(1)}, {machine(found)}; lines are 95 % intervals"
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    yield "strips", figure


def _line(axes: Axes, found: list[Row], family: str, colour: str) -> None:
    kept = {row.part: row.value for row in found if row.measure == "working set"}
    points = sorted((row for row in found if row.measure == "time ratio"), key=lambda row: int(row.part))
    x = [kept[row.part] for row in points]
    axes.plot(x, [row.value for row in points], "o-", color=colour, markersize=4, label=FAMILIES[family].title)
    for at, row in zip(x, points, strict=True):
        axes.plot([at, at], [row.low, row.high], color=colour, linewidth=1)
        axes.annotate(row.part, (at, row.value), xytext=(3, 4), textcoords="offset points", fontsize=6, color=colour)


if __name__ == "__main__":
    script(figures)
