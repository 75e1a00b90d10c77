"""Draws how many times faster than each of Hugging Face's backends every drop-in is, on one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, ScalarFormatter

from experiments.family import FAMILIES
from experiments.results import RESULTS, Row
from experiments.workloads import WORKLOADS
from plots import style
from plots.tables import machine, rows, script

#: What is compared to what, and how many times faster it should be at least.
_PANELS: Final = (("autosched", "hf-torchvision", 3.0), ("autosched-pil", "hf-pil", 6.0))
_MARKERS: Final = ("o", "s", "D", "^", "v")


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """One figure: a line a model, a mark a workload."""
    found = [row for row in rows("families", folder) if row.measure == "speedup"]
    models = [name for name in FAMILIES if any(row.family == name for row in found)]
    if not models:
        return
    size = (8.4, 1.6 + 0.3 * len(models))
    figure, grid = plt.subplots(1, 2, figsize=size, sharey=True, layout="constrained")
    for axes, (ours, theirs, goal) in zip(grid, _PANELS, strict=True):
        _panel(axes, [r for r in found if (r.implementation, r.against) == (ours, theirs)], models)
        axes.axvline(goal, color=style.INK, linewidth=0.8, linestyle="--")
        axes.set_xlabel(f"{ours} over {theirs}, x (log); dashed: {goal:g}")
    grid[0].set_yticks(range(len(models)), [FAMILIES[name].title for name in models])
    grid[0].invert_yaxis()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=7.5)
    title = f"Speed of drop-ins, whole call from decoded images, 1 thread\n{machine(found)}; lines are 95 % intervals"
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    yield "families", figure


def _panel(axes: Axes, found: Sequence[Row], models: Sequence[str]) -> None:
    """Marks of one comparison."""
    axes.set_xscale("log")
    shown = [name for name in WORKLOADS if any(row.workload == name for row in found)]
    for index, workload in enumerate(shown):
        mine = [row for row in found if row.workload == workload]
        # Marks of a model lie beside each other, so that intervals can be told apart.
        at = [models.index(row.family) + (index - (len(shown) - 1) / 2) * 0.14 for row in mine]
        (line,) = axes.plot(
            [row.value for row in mine], at, _MARKERS[index % len(_MARKERS)], ms=3.5, label=WORKLOADS[workload].title
        )
        axes.hlines(at, [row.low for row in mine], [row.high for row in mine], color=line.get_color(), linewidth=0.8)
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 3, 6)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(LogLocator(10, subs=()))
    axes.grid(axis="x", linewidth=0.4)


if __name__ == "__main__":
    script(figures)
