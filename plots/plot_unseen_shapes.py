"""Draws what shapes that no search has seen lose with the schedule that is looked up for them.

`python -m plots.plot_unseen_shapes [RESULTS.csv] [--out FOLDER]`
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.experiment import table
from experiments.results import Results, Row
from experiments.studies.unseen_shapes import LOOKED_UP
from plots import style

#: A colour for each bucket, in the order of their stretch.
_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
#: The loss that is allowed.
_LIMIT: Final = 0.1


def main(
    results: Annotated[Path | None, typer.Argument(help="A file of results; by default this machine's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the figures.")] = style.FIGURES,
) -> None:
    """Draw a figure for each number of threads."""
    style.apply()
    rows = [
        r
        for r in Results(results or table("unseen-shapes"))
        if (r.implementation, r.measure) == (LOOKED_UP, "time over")
    ]
    if not rows:
        raise typer.BadParameter("there are no rows; run `autosched experiment run unseen-shapes` first")
    for threads in sorted({row.threads for row in rows}):
        figure = losses([row for row in rows if row.threads == threads])
        print(style.save(figure, f"unseen_shapes-{threads}-thread{'s' * (threads > 1)}", out))
        plt.close(figure)


def losses(rows: Sequence[Row]) -> Figure:
    """A line a shape: how much longer than with a schedule of its own, with the interval; the largest loss on top."""
    ranked = sorted(rows, key=lambda row: row.value)
    buckets = list(dict.fromkeys(_bucket(row) for row in sorted(rows, key=lambda row: row.note)))
    figure, axes = plt.subplots(figsize=(7.2, 0.9 + 0.19 * len(ranked)), layout="constrained")
    for y, row in enumerate(ranked):
        colour = _COLOURS[buckets.index(_bucket(row)) % len(_COLOURS)]
        axes.plot([100 * (row.low - 1), 100 * (row.high - 1)], [y, y], color=colour, linewidth=1.2)
        axes.plot(100 * (row.value - 1), y, "o", color=colour, markersize=4)
    axes.set_yticks(range(len(ranked)), [row.workload for row in ranked], fontsize=7)
    for i, bucket in enumerate(buckets):
        axes.plot([], [], "o-", color=_COLOURS[i % len(_COLOURS)], markersize=4, label=f"bucket {bucket}")
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.axvline(100 * _LIMIT, color=style.INK, linewidth=0.6, linestyle=(0, (4, 4)))
    axes.legend(frameon=False, fontsize=7, loc="lower right")
    axes.set_xlabel("how much longer than with a schedule tuned for the shape, %; dashed: the limit")
    first = rows[0]
    threads = f"{first.threads} thread{'s' * (first.threads > 1)}"
    axes.set_title(
        f"Looked-up schedules on shapes that no search has seen\n{threads}, {first.cpu}; 95 % intervals", loc="left"
    )
    return figure


def _bucket(row: Row) -> str:
    """The bucket that a row's note names."""
    return row.note.removeprefix("bucket ").partition(",")[0]


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
