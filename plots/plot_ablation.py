"""Draws what directives of the schedule are worth, and what other choices of knobs do at the default point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.family import FAMILIES
from experiments.results import RESULTS, Row
from plots import style
from plots.bars import Bar, grouped, height
from plots.tables import machine, rows, script, threads_of

_MOST = 14
"""Bars of a panel: those furthest from 1."""

_KINDS = {
    "leave-one-out": ("Directives of the schedule, left out one by one", "time without it over time with it, x (log)"),
    "one-at-a-time": (
        "Knobs, changed one at a time at the default point",
        "time over that of the default point, x (log)",
    ),
    "importance": ("Importance of knobs in the search", "share of the variation that a knob explains"),
}


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a kind of ablation."""
    found = [row for row in rows("ablation", folder) if row.measure in ("time ratio", "share")]
    for kind in _KINDS:
        mine = [row for row in found if row.part.startswith(f"{kind}: ")]
        yield f"ablation-{kind}", _figure(kind, mine) if mine else None


def _figure(kind: str, found: Sequence[Row]) -> Figure:
    title, label = _KINDS[kind]
    ratios = kind != "importance"
    families = [name for name in FAMILIES if any(row.family == name for row in found)]
    groups = {name: [("", _bars(kind, [r for r in found if r.family == name]))] for name in families}
    heights = [height(groups[name]) for name in families]
    figure, grid = plt.subplots(
        len(families),
        1,
        figsize=(8.4, 1.0 + sum(heights) + 0.5 * len(families)),
        squeeze=False,
        height_ratios=heights,
        layout="constrained",
    )
    for axes, name in zip(grid[:, 0], families, strict=True):
        grouped(axes, groups[name], log=ratios, base=float(ratios))
        axes.axvline(float(ratios), color=style.INK, linewidth=0.8)
        axes.set_yticks([])
        row = next(r for r in found if r.family == name)
        axes.set_title(f"{FAMILIES[name].title}, {row.workload} ({row.note.split('; ')[-1]})", loc="left", fontsize=9)
    grid[-1, 0].set_xlabel(label)
    where = f"{threads_of(found[0].threads)}, {machine(found)}; kernels only"
    figure.suptitle(f"{title}\n{where}; lines are 95 % intervals", x=0.01, ha="left", fontsize=10)
    return figure


def _bars(kind: str, found: Sequence[Row]) -> list[Bar]:
    """The largest effects, the largest first."""
    if kind == "importance":
        chosen = sorted(found, key=lambda row: -row.value)[:_MOST]
    else:
        effects = [row for row in found if not row.note.startswith("same code")]
        chosen = sorted(effects, key=lambda row: -max(row.value, 1 / row.value))[:_MOST]
        chosen.sort(key=lambda row: -row.value)
    names = {row.part: row.part.partition(": ")[2] for row in chosen}
    return [Bar(names[r.part], r.value, r.low, r.high, _colour(kind, r)) for r in chosen]


def _colour(kind: str, row: Row) -> str:
    """Grey where the interval holds 1."""
    if kind != "importance" and row.low <= 1 <= row.high:
        return style.PLAIN
    return style.COLOURS["autosched"] if kind == "importance" or row.value > 1 else style.COLOURS["autosched-v2"]


if __name__ == "__main__":
    script(figures)
