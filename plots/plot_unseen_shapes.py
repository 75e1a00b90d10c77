"""Draws what shapes that no search has seen lose with the schedule that is looked up for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from experiments.results import RESULTS, Row
from experiments.studies.unseen_shapes import LOOKED_UP
from plots import style
from plots.tables import rows, script, threads_of

#: A colour for each bucket, in the order of their stretch.
_COLOURS: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
#: The loss that is allowed.
_LIMIT: Final = 0.1


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a number of threads."""
    found = [
        row for row in rows("unseen-shapes", folder) if (row.implementation, row.measure) == (LOOKED_UP, "time over")
    ]
    for threads in sorted({row.threads for row in found}):
        chosen = [row for row in found if row.threads == threads]
        yield f"unseen_shapes-{threads_of(threads).replace(' ', '-')}", losses(chosen)


def losses(found: Sequence[Row]) -> Figure:
    """A line a shape: how much longer than with a schedule of its own, with the interval; the largest loss on top."""
    ranked = sorted(found, key=lambda row: row.value)
    buckets = list(dict.fromkeys(_bucket(row) for row in sorted(found, key=lambda row: row.note)))
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
    beside = {"bbox_to_anchor": (100 * _LIMIT, 0), "bbox_transform": axes.get_xaxis_transform()}
    axes.legend(frameon=False, fontsize=7, loc="lower right", **beside)
    axes.set_xlabel("how much longer than with a schedule tuned for the shape, %; dashed: the limit")
    first = found[0]
    axes.set_title(
        f"Looked-up schedules on shapes that no search has seen\n"
        f"{threads_of(first.threads)}, {first.cpu}; 95 % intervals",
        loc="left",
    )
    return figure


def _bucket(row: Row) -> str:
    """The bucket that a row's note names."""
    return row.note.removeprefix("bucket ").partition(",")[0]


if __name__ == "__main__":
    script(figures)
