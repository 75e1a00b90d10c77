"""Draws where calls spend their time, stage by stage: what computes in warm colours, what moves memory in cold ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from experiments.family import FAMILIES
from experiments.implementation import IMPLEMENTATIONS
from experiments.results import RESULTS, Row
from experiments.stages import STAGES
from experiments.workloads import WORKLOADS
from plots import style
from plots.bars import number
from plots.tables import machine, rows, script, threads_of

_NARROW = 0.06
"""Shares that are not labelled."""


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """A figure a workload and number of threads."""
    found = rows("profile", folder)
    for workload, threads in sorted({(row.workload, row.threads) for row in found}):
        mine = [row for row in found if (row.workload, row.threads) == (workload, threads)]
        yield f"profile-{workload}-{threads_of(threads).replace(' ', '-')}", _figure(mine)


def _figure(found: Sequence[Row]) -> Figure:
    names = list(dict.fromkeys((row.family, row.implementation) for row in found))
    names.sort(key=lambda name: (list(FAMILIES).index(name[0]), list(IMPLEMENTATIONS).index(name[1])))
    value = {(row.family, row.implementation, row.part, row.measure): row for row in found}
    figure, axes = plt.subplots(figsize=(8.4, 1.5 + 0.34 * len(names)), layout="constrained")
    for y, name in enumerate(names):
        left = 0.0
        shares = {stage: value[*name, stage, "share"].value for stage in STAGES if (*name, stage, "share") in value}
        for stage, median in shares.items():
            share = median / sum(shares.values())  # medians do not add up to the whole
            axes.barh(y, share, 0.78, left=left, color=style.STAGE_COLOURS[stage], zorder=2)
            if share >= _NARROW:
                text = f"{stage}\n{100 * share:.0f} %"
                axes.text(
                    left + share / 2, y, text, ha="center", va="center", fontsize=5.6, color=_ink(stage), zorder=3
                )
            left += share
        whole, moved = value.get((*name, "", "time")), value.get((*name, "", "moved"))
        text = "" if whole is None else f"{number(whole.value)} ms"
        text += "" if moved is None else f", moves {moved.value:.1f}x output"
        axes.text(1.02, y, text, va="center", fontsize=6.5)
    axes.set_yticks(range(len(names)), [f"{FAMILIES[f].title}, {i}" for f, i in names], fontsize=7.5)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.35)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.set_xlabel("share of the call, medians of rounds")
    present = [stage for stage in STAGES if any(row.part == stage for row in found)]
    handles = [Patch(color=style.STAGE_COLOURS[stage], label=f"{stage}: {STAGES[stage]}") for stage in present]
    figure.legend(handles=handles, loc="outside lower left", ncols=2, fontsize=6, frameon=False)
    first = found[0]
    where = f"{WORKLOADS[first.workload].title}, {threads_of(first.threads)}, {machine(found)}"
    figure.suptitle(f"Where a call spends its time\n{where}", x=0.01, ha="left", fontsize=10)
    return figure


def _ink(stage: str) -> str:
    """Dark on the light colours."""
    return style.INK if stage in ("rest", "grouping", "pixels", "normalise") else "white"


if __name__ == "__main__":
    script(figures)
