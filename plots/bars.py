"""Horizontal bars in groups, each with its interval, its value and its name next to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import patheffects
from matplotlib.axes import Axes

from plots import style

_ROOM = 0.84
"""Share of the room of a group that its bars take."""


@dataclass(frozen=True)
class Bar:
    """A value with its interval. `label` is what stands next to the value."""

    label: str
    value: float
    low: float
    high: float
    colour: str


def height(groups: Sequence[tuple[str, Sequence[Bar]]]) -> float:
    """Inches that groups need."""
    return sum(0.18 + 0.15 * len(bars) for _, bars in groups)


def grouped(axes: Axes, groups: Sequence[tuple[str, Sequence[Bar]]], *, log: bool = False, base: float = 0.0) -> None:
    """Draws groups from the top down; bars begin at `base` (1 where the axis is logarithmic)."""
    if log:
        axes.set_xscale("log")
    outline = [patheffects.withStroke(linewidth=2.2, foreground="white")]
    ticks = []
    y = 0.0
    for _, bars in groups:
        ticks.append(y + (len(bars) - 1) / 2)
        for bar in bars:
            axes.barh(y, bar.value - base, _ROOM, left=base, color=bar.colour, zorder=2)
            if bar.low < bar.high:
                line = [bar.low, bar.high]
                axes.plot(line, [y, y], color=style.INK, linewidth=0.9, zorder=3, path_effects=outline)
            place = max(bar.high, bar.value, base)
            text = f"{number(bar.value)}  {bar.label}" if bar.label else number(bar.value)
            axes.annotate(text, (place, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5)
            y += 1
        y += 1
    axes.set_yticks(ticks, [wrapped(title) for title, _ in groups], fontsize=7.5)
    axes.set_ylim(y - 1.2, -0.8)
    _round_ticks(axes, log)


def number(value: float) -> str:
    """A value with the digits that mean something."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 10 else f"{value:.2g}"


def wrapped(title: str) -> str:
    """Long titles in two lines."""
    return title.replace(", ", ",\n").replace(": ", ":\n")


def _round_ticks(axes: Axes, log: bool) -> None:
    """Room for the labels to the right of bars, and round ticks on a logarithmic axis."""
    low, high = axes.get_xlim()
    if log:
        axes.set_xlim(low, high * (high / low) ** 0.35)
        ticks = [t * 10**e for e in range(-3, 6) for t in (1, 2, 5) if low <= t * 10**e <= high]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
    else:
        axes.set_xlim(low, high + 0.4 * (high - low))
