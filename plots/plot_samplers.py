"""Draws how fast samplers come near the best schedule of a recorded space.

`python -m plots.plot_samplers [TABLE.csv] [--out FOLDER]`
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import numpy as np
import pandas as pd
import typer
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.compare_samplers import NEAR
from experiments.results import RESULTS
from plots import style

#: Colour and line of each sampler: ours in colours, Kernel Tuner's strategies in greys.
_LINES: Final = {
    "tpe and polish, the default": ("#D55E00", "-"),
    "random and polish": ("#E69F00", "-"),
    "tpe": ("#0072B2", "-"),
    "random": ("#56B4E9", "-"),
    "kernel_tuner, genetic_algorithm": ("#5A5A5A", "-"),
    "kernel_tuner, random_sample": ("#8C8C8C", "--"),
    "kernel_tuner, greedy_ils": ("#8C8C8C", ":"),
}
#: What the axis shows at most: the first trials are several times slower.
_TOP: Final = 2.0
_RATIO: Final = "ratio to the optimum"


def main(
    table: Annotated[Path | None, typer.Argument(help="A table of samplers; by default the only one.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the figure.")] = style.FIGURES,
) -> None:
    """Draw the medians of the seeds against trials, with the band between the quartiles."""
    style.apply()
    figure = convergence(pd.read_csv(table or _only_file()))
    print(style.save(figure, "samplers", out))
    plt.close(figure)


def convergence(rows: pd.DataFrame) -> Figure:
    """The best time so far over the optimum: one panel for our samplers, one for Kernel Tuner's strategies."""
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.0), sharey=True, layout="constrained")
    names = list(dict.fromkeys(rows["sampler"]))
    theirs = [name for name in names if name.startswith("kernel_tuner")]
    default = names[0]
    for axes, chosen, title in zip(
        panels,
        ([name for name in names if name not in theirs], [default, *theirs]),
        ("autosched's samplers", "Kernel Tuner's strategies and the default"),
        strict=True,
    ):
        ends: list[tuple[float, str, str]] = []
        for name in chosen:
            curves = rows[rows["sampler"] == name].pivot_table(index="trial", columns="seed", values=_RATIO)
            low, middle, high = np.quantile(curves.to_numpy(), (0.25, 0.5, 0.75), axis=1)
            colour, line = _LINES.get(name, (style.INK, "-"))
            axes.plot(curves.index, middle, line, color=colour, linewidth=1.8)
            axes.fill_between(curves.index, low, high, color=colour, alpha=0.13, linewidth=0)
            ends.append((float(middle[-1]), name.removeprefix("kernel_tuner, ").replace("_", " "), colour))
        last = int(rows["trial"].max())
        ends.sort(key=lambda end: end[0])
        for place, (_, name, colour) in zip(_apart([e[0] for e in ends], 0.045), ends, strict=True):
            axes.annotate(
                name, (last, place), (5, 0), textcoords="offset points", color=colour, va="center", fontsize=8,
                annotation_clip=False,
            )  # fmt: skip
        axes.axhline(NEAR, color=style.INK, linewidth=0.6, linestyle=(0, (4, 4)))
        axes.set_title(title, loc="left")
        axes.set_xlim(1, last)
        axes.set_xlabel("schedules timed")
    panels[0].set_ylim(0.985, _TOP)
    panels[0].set_ylabel("best so far over the optimum")
    panels[0].annotate(
        f"{100 * (NEAR - 1):.0f} % of the optimum", (2, NEAR), (0, -9), textcoords="offset points", fontsize=7
    )
    seeds = rows["seed"].nunique()
    figure.suptitle(
        f"A recorded space of blur schedules: median of {seeds} seeds, band between the quartiles", fontsize=10
    )
    return figure


def _apart(places: list[float], least: float) -> list[float]:
    """The places of labels, in order, moved up until they do not touch."""
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + least) if moved else place)
    return moved


def _only_file() -> Path:
    files = sorted(RESULTS.glob("samplers-*.csv"))
    if len(files) != 1:
        raise typer.BadParameter(f"there are {len(files)} tables of samplers in {RESULTS}; name the one to draw")
    return files[0]


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
