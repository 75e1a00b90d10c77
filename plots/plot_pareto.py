"""Draws time against peak memory: what is below and to the left of another is better in both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from experiments.family import FAMILIES
from experiments.results import RESULTS, Row
from experiments.workloads import WORKLOADS
from plots import style
from plots.tables import machine, rows, script, threads_of

_WORKLOAD = "w4"


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A panel a family, on the most threads that both were measured on."""
    memory = {(r.family, r.implementation, r.threads): r for r in rows("memory", folder) if _is(r, "peak memory")}
    time = {(r.family, r.implementation, r.threads): r for r in rows("runtime", folder) if _is(r, "time")}
    both = {key: (time[key], memory[key]) for key in time if key in memory}
    if not both:
        return
    threads = max(key[2] for key in both)
    shown = [name for name in FAMILIES if any(key[0] == name and key[2] == threads for key in both)]
    columns = min(len(shown), 2)
    lines = -(-len(shown) // columns)
    size = 8.4 if columns > 1 else 6.4, 3.3 * lines
    figure, grid = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    for axes, name in zip(grid.flat, shown, strict=False):
        _panel(axes, {key[1]: found for key, found in both.items() if (key[0], key[2]) == (name, threads)})
        axes.set_title(FAMILIES[name].title, loc="left", fontsize=9, fontweight="bold")
    for axes in list(grid.flat)[len(shown) :]:
        axes.set_axis_off()
    where = f"{WORKLOADS[_WORKLOAD].title}, {threads_of(threads)}, {machine(row for row, _ in both.values())}"
    figure.suptitle(
        f"Time and memory of a call; the line joins what nothing else beats in both\n{where}",
        x=0.01,
        ha="left",
        fontsize=10,
    )
    yield "pareto", figure


def _is(row: Row, measure: str) -> bool:
    return (row.workload, row.measure) == (_WORKLOAD, measure)


def frontier(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Names of the points that no other beats in both coordinates, from left to right."""
    return sorted(
        (
            name
            for name, (x, y) in points.items()
            if not any(a <= x and b <= y and (a, b) != (x, y) for a, b in points.values())
        ),
        key=lambda name: points[name],
    )


def _panel(axes: Axes, found: Mapping[str, tuple[Row, Row]]) -> None:
    images = len(WORKLOADS[_WORKLOAD].sizes)
    points = {name: (time.value / images, memory.value) for name, (time, memory) in found.items()}
    best = frontier(points)
    axes.plot(*zip(*(points[name] for name in best), strict=True), color=style.INK, linewidth=0.8, zorder=1)
    placed: list[tuple[float, float, int]] = []
    for name, (x, y) in sorted(points.items(), key=lambda item: item[1][::-1]):
        time = found[name][0]
        colour = style.COLOURS.get(name, style.PLAIN)
        axes.plot([time.low / images, time.high / images], [y, y], color=colour, linewidth=1.2)
        axes.plot(x, y, "o", color=colour, markeredgecolor=style.INK, markeredgewidth=0.5, markersize=5, zorder=2)
        taken = {level for a, b, level in placed if abs(y - b) < 0.3 and 0.25 < x / a < 4}
        level = next(i for i in range(len(points)) if i not in taken)
        axes.annotate(name, (x, y), xytext=(5, 3 + 7 * level), textcoords="offset points", fontsize=6)
        placed.append((x, y, level))
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * 2.5)
    axes.set_ylim(bottom=0.8)
    axes.set_xlabel("ms an image (log)")
    axes.set_ylabel("peak memory over output, x")


if __name__ == "__main__":
    script(figures)
