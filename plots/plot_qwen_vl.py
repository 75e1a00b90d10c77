"""Draws the benchmark of Qwen2.5-VL: speed-ups over Hugging Face, the distance to the memory floor, and peak memory.

`python -m plots.plot_qwen_vl [RESULTS.csv] [--out FOLDER]`
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from matplotlib import patheffects
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bench_qwen_vl import RESULTS
from experiments.qwen_vl import IMPLEMENTATIONS
from experiments.results import Measure, Results, Row
from experiments.workloads import STANDARD, WORKLOADS
from plots import style

_BAR = 0.8
"""Share of the room of a workload that its bars take."""

_LEFT_OUT = "autosched-pil"
"""Has bits of its own, so it is compared to the PIL backend only."""


def main(
    results: Annotated[Path | None, typer.Argument(help="A file of results; by default the only full one.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the figures.")] = style.FIGURES,
) -> None:
    """Draw all figures of the benchmark of Qwen2.5-VL."""
    style.apply()
    rows = list(Results(results or _only_file()))
    if not rows:
        raise typer.BadParameter(f"{results} has no rows; run python -m experiments.bench_qwen_vl first")
    for threads in sorted({row.threads for row in rows}):
        chosen = [row for row in rows if row.threads == threads]
        suffix = f"{threads}-thread" + "s" * (threads > 1)
        drawn = {"speedup": speedups(chosen), "floor": floor(chosen), "memory": memory(chosen)}
        for name, figure in drawn.items():
            if figure is not None:
                print(style.save(figure, f"qwen_vl-{name}-{suffix}", out))
                plt.close(figure)


def speedups(rows: Sequence[Row]) -> Figure | None:
    """Bars of the speed over Hugging Face's torchvision backend, on a logarithmic axis."""
    label = "speed over Hugging Face's torchvision backend, x (log)"
    return _bars(rows, "speedup", "hf-torchvision", label, "Speed of Qwen2.5-VL image preprocessing")


def floor(rows: Sequence[Row]) -> Figure | None:
    """Bars of the time over the memory floor."""
    label = "time over reading the source and writing the output once, x (log)"
    return _bars(rows, "times floor", "floor", label, "Distance of Qwen2.5-VL image preprocessing to the memory floor")


def memory(rows: Sequence[Row]) -> Figure | None:
    """Bars of the peak memory over the output."""
    label = "peak memory of a call over its output, x"
    return _bars(rows, "peak memory", "", label, "Peak memory of Qwen2.5-VL image preprocessing")


def _bars(rows: Sequence[Row], measure: Measure, against: str, label: str, title: str) -> Figure | None:
    """Horizontal bars, grouped by workload, each with its interval and its value; None where there are no rows."""
    found = {
        (row.workload, row.implementation): row
        for row in rows
        if (row.measure, row.against) == (measure, against) and row.implementation != _LEFT_OUT
    }
    found = {key: row for key, row in found.items() if key[1] != against}
    if not found:
        return None
    workloads = [name for name in [*STANDARD, "tiny"] if any(key[0] == name for key in found)]
    names = [name for name in IMPLEMENTATIONS if any(key[1] == name for key in found)]
    figure, axes = plt.subplots(figsize=(7.2, 0.5 + len(workloads) * (0.35 + 0.15 * len(names))))
    logarithmic = measure != "peak memory"
    if logarithmic:
        axes.set_xscale("log")
    for position, workload in enumerate(workloads):
        _group(axes, position, [(name, found.get((workload, name))) for name in names], base=float(logarithmic))
    axes.axvline(1, color=style.INK, linewidth=0.8)
    axes.set_title(_title(title, rows), loc="left")
    axes.set_yticks(range(len(workloads)), [_wrapped(WORKLOADS[name].title) for name in workloads])
    axes.invert_yaxis()
    axes.set_xlabel(label)
    _round_ticks(axes, logarithmic)
    axes.margins(x=0.12)
    return figure


def _group(axes: Axes, position: int, bars: Sequence[tuple[str, Row | None]], base: float) -> None:
    """The bars of one workload, from `base`, with their names and values to the right of them."""
    height = _BAR / len(bars)
    outline = [patheffects.withStroke(linewidth=2.2, foreground="white")]
    for index, (name, row) in enumerate(bars):
        if row is None:
            continue
        y = position - _BAR / 2 + (index + 0.5) * height
        axes.barh(y, row.value - base, height * 0.92, left=base, color=style.COLOURS[name], zorder=2)
        if row.low < row.high:
            axes.plot([row.low, row.high], [y, y], color=style.INK, linewidth=0.9, zorder=3, path_effects=outline)
        text = f"{row.value:.2g}" if row.value < 10 else f"{row.value:.0f}"
        text += f"  {name}" + ("" if row.exact else " (other bits)")
        place = max(row.high, row.value, base)
        axes.annotate(text, (place, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5)


def _round_ticks(axes: Axes, logarithmic: bool) -> None:
    if not logarithmic:
        return
    low, high = axes.get_xlim()
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500) if low <= tick <= high]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()


def _wrapped(title: str) -> str:
    return title.replace(", ", ",\n").replace(": ", ":\n")


def _title(what: str, rows: Sequence[Row]) -> str:
    """What is shown, on which machine, and what the lines are."""
    first = rows[0]
    threads = f"{first.threads} thread" + "s" * (first.threads > 1)
    return f"{what}\n{threads}, {first.cpu}; whole call from PIL images; lines are 95 % intervals"


def _only_file() -> Path:
    files = sorted(path for path in RESULTS.glob("qwen_vl-*.csv") if not path.stem.endswith("-quick"))
    if len(files) != 1:
        raise typer.BadParameter(f"there are {len(files)} files of results in {RESULTS}; name the one to draw")
    return files[0]


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
