"""A figure of panels, one a family, of a measure of implementations on workloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.family import FAMILIES
from experiments.implementation import IMPLEMENTATIONS
from experiments.results import Row
from experiments.workloads import WORKLOADS
from plots import style
from plots.bars import Bar, grouped, height
from plots.tables import machine, threads_of

_WIDTH = 8.4


def panels(
    found: Sequence[Row],
    *,
    title: str,
    label: str,
    log: bool = False,
    base: float = 0.0,
    marked: bool = True,
    scale: Callable[[Row], float] = lambda row: 1.0,
    families: Sequence[str] = (),
) -> Figure | None:
    """Bars of rows of one measure and one number of threads, grouped by workload; None where there are none.

    `base` is where bars begin, with a line there if it is `marked`; `scale` is what values are multiplied by.
    """
    shown = [name for name in families or FAMILIES if any(row.family == name for row in found)]
    if not shown:
        return None
    groups = {name: _groups([row for row in found if row.family == name], scale) for name in shown}
    heights = [height(groups[name]) for name in shown]
    whole = 0.9 + sum(heights) + 0.55 * len(shown)
    figure, grid = plt.subplots(
        len(shown), 1, figsize=(_WIDTH, whole), squeeze=False, height_ratios=heights, layout="constrained"
    )
    for axes, name in zip(grid[:, 0], shown, strict=True):
        grouped(axes, groups[name], log=log, base=base)
        if base and marked:
            axes.axvline(base, color=style.INK, linewidth=0.8)
        axes.set_title(FAMILIES[name].title, loc="left", fontsize=9, fontweight="bold")
    grid[-1, 0].set_xlabel(label)
    where = f"{threads_of(found[0].threads)}, {machine(found)}"
    figure.suptitle(f"{title}\n{where}; lines are 95 % intervals", x=0.01, ha="left", fontsize=10)
    return figure


def _groups(found: Sequence[Row], scale: Callable[[Row], float]) -> list[tuple[str, list[Bar]]]:
    """Bars of each workload, in the registries' order."""
    by_place = {(row.workload, row.implementation): row for row in found}
    groups = []
    for workload in WORKLOADS:
        bars = [_bar(by_place[workload, name], scale) for name in IMPLEMENTATIONS if (workload, name) in by_place]
        if bars:
            groups.append((WORKLOADS[workload].title, bars))
    return groups


def _bar(row: Row, scale: Callable[[Row], float]) -> Bar:
    by = scale(row)
    label = row.implementation + ("" if row.exact else " (other bits)")
    colour = style.COLOURS.get(row.implementation, style.PLAIN)
    return Bar(label, row.value * by, row.low * by, row.high * by, colour)
