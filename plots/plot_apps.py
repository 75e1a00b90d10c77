"""Draws Halide's apps in our language, in Halide and elsewhere: speed over Halide with Adams2019."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.apps.programs import APPS
from experiments.results import RESULTS, Row
from plots import style
from plots.bars import Bar, grouped, height
from plots.tables import machine, rows, script, threads_of

_COLOURS: Final = {
    "autosched": style.COLOURS["autosched"],
    "halide-adams2019": style.COLOURS["hf-torchvision"],
    "halide-manual": style.COLOURS["hf-pil"],
    "numba": style.COLOURS["autosched-v1"],
    "opencv": style.COLOURS["hf-processors-rs"],
    "torch": style.COLOURS["kornia-rs"],
}


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a number of threads."""
    found = [row for row in rows("apps", folder) if row.measure == "speedup"]
    for threads in sorted({row.threads for row in found}):
        chosen = [row for row in found if row.threads == threads]
        yield f"apps-speedup-{threads_of(threads).replace(' ', '-')}", _speedups(chosen)


def _speedups(found: list[Row]) -> Figure:
    bars = {(row.workload, row.implementation): _bar(row) for row in found}
    groups = [
        (app.title, [bars[key, name] for name in _COLOURS if (key, name) in bars])
        for key, app in APPS.items()
        if (key, "autosched") in bars
    ]
    figure, axes = plt.subplots(figsize=(7.2, 1.1 + height(groups)))
    grouped(axes, groups)
    axes.axvline(1, color=style.INK, linewidth=0.8)
    about = f"{threads_of(found[0].threads)}, {machine(found)}; lines are 95 % intervals"
    axes.set_title(f"Halide's apps, output reused\n{about}", loc="left")
    axes.set_xlabel("speed over Halide with Adams2019, x")
    return figure


def _bar(row: Row) -> Bar:
    label = f"{row.implementation} ({row.note})" if row.note else row.implementation
    return Bar(label, row.value, row.low, row.high, _COLOURS[row.implementation])


if __name__ == "__main__":
    script(figures)
