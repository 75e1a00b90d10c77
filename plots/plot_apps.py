"""Draws the benchmark of Halide's apps: speed over Halide with Adams2019.

`python -m plots.plot_apps [RESULTS.csv] [--out FOLDER]`
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.bench_apps import RESULTS
from plots import style

_COLOURS = {
    "autosched": style.COLOURS["autosched"],
    "halide-adams2019": style.COLOURS["hf-torchvision"],
    "halide-manual": style.COLOURS["hf-pil"],
    "numba": style.COLOURS["autosched-v1"],
    "opencv": style.COLOURS["hf-processors-rs"],
}
_BAR = 0.8


def main(
    results: Annotated[Path | None, typer.Argument(help="A file of results; by default the only one.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the figures.")] = style.FIGURES,
) -> None:
    """Draw a figure for each number of threads."""
    style.apply()
    rows = pd.read_csv(results or _only_file())
    for threads, chosen in rows.groupby("threads"):
        figure = speedups(chosen)
        print(style.save(figure, f"apps-speedup-{threads}-thread{'s' if threads != 1 else ''}", out))
        plt.close(figure)


def speedups(rows: pd.DataFrame) -> Figure:
    """Horizontal bars from 0, grouped by app, with intervals, values and names."""
    apps = list(dict.fromkeys(rows.app))
    names = [name for name in _COLOURS if name in set(rows.implementation)]
    figure, axes = plt.subplots(figsize=(7.2, 0.6 + len(apps) * (0.3 + 0.16 * len(names))))
    height = _BAR / len(names)
    for position, app in enumerate(apps):
        for index, name in enumerate(names):
            found = rows[(rows.app == app) & (rows.implementation == name)]
            if found.empty:
                continue
            row, y = found.iloc[0], position - _BAR / 2 + (index + 0.5) * height
            axes.barh(y, row.speedup, height * 0.92, color=_COLOURS[name], zorder=2)
            axes.plot([row.speedup_low, row.speedup_high], [y, y], color=style.INK, linewidth=0.9, zorder=3)
            text = f"{row.speedup:.2g}  {name}" + ("" if row.bits == "the same" else f" ({row.bits})")
            place = max(row.speedup, row.speedup_high)
            axes.annotate(text, (place, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5)
    axes.axvline(1, color=style.INK, linewidth=0.8)
    first = rows.iloc[0]
    threads = f"{first.threads} thread{'s' if first.threads != 1 else ''}"
    axes.set_title(f"Halide's apps, output reused\n{threads}, {first.cpu}; lines are 95 % intervals", loc="left")
    titles = [str(rows[rows.app == app].iloc[0]["title"]).replace(", ", ",\n") for app in apps]
    axes.set_yticks(range(len(apps)), titles)
    axes.invert_yaxis()
    axes.set_xlabel("speed over Halide with Adams2019, x")
    axes.margins(x=0.18)
    return figure


def _only_file() -> Path:
    files = sorted(RESULTS.glob("apps-*.csv"))
    if len(files) != 1:
        raise typer.BadParameter(f"there are {len(files)} files of results in {RESULTS}; name the one to draw")
    return files[0]


if __name__ == "__main__":
    app_ = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app_.command()(main)
    app_()
