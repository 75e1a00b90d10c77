"""Draws the benchmark of Halide's apps: speed over Halide with Adams2019.

`autosched experiment plot apps`
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.apps.programs import APPS
from experiments.experiment import table
from plots import style

_COLOURS = {
    "autosched": style.COLOURS["autosched"],
    "halide-adams2019": style.COLOURS["hf-torchvision"],
    "halide-manual": style.COLOURS["hf-pil"],
    "numba": style.COLOURS["autosched-v1"],
    "opencv": style.COLOURS["hf-processors-rs"],
}
_BAR = 0.8


def main(out: Path = style.FIGURES) -> None:
    """Draw a figure for each number of threads."""
    style.apply()
    rows = pd.read_csv(table("apps"), keep_default_na=False)
    for threads, chosen in rows[rows.measure == "speedup"].groupby("threads"):
        figure = speedups(chosen)
        print(style.save(figure, f"apps-speedup-{threads}-thread{'s' if threads != 1 else ''}", out))
        plt.close(figure)


def speedups(rows: pd.DataFrame) -> Figure:
    """Horizontal bars from 0, grouped by app, with intervals, values and names."""
    apps = [name for name in APPS if name in set(rows.workload)]
    names = [name for name in _COLOURS if name in set(rows.implementation)]
    figure, axes = plt.subplots(figsize=(7.2, 0.6 + len(apps) * (0.3 + 0.16 * len(names))))
    height = _BAR / len(names)
    for position, app in enumerate(apps):
        for index, name in enumerate(names):
            found = rows[(rows.workload == app) & (rows.implementation == name)]
            if found.empty:
                continue
            row, y = found.iloc[0], position - _BAR / 2 + (index + 0.5) * height
            axes.barh(y, row.value, height * 0.92, color=_COLOURS[name], zorder=2)
            axes.plot([row.low, row.high], [y, y], color=style.INK, linewidth=0.9, zorder=3)
            text = f"{row.value:.2g}  {name}" + (f" ({row.note})" if row.note else "")
            place = max(row.value, row.high)
            axes.annotate(text, (place, y), xytext=(3, 0), textcoords="offset points", va="center", fontsize=6.5)
    axes.axvline(1, color=style.INK, linewidth=0.8)
    first = rows.iloc[0]
    threads = f"{first.threads} thread{'s' if first.threads != 1 else ''}"
    axes.set_title(f"Halide's apps, output reused\n{threads}, {first.cpu}; lines are 95 % intervals", loc="left")
    axes.set_yticks(range(len(apps)), [APPS[app].title.replace(", ", ",\n") for app in apps])
    axes.invert_yaxis()
    axes.set_xlabel("speed over Halide with Adams2019, x")
    axes.margins(x=0.18)
    return figure
