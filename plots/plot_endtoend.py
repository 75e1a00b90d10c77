"""Draws what share preparing the image has of the time to the first token, and what a stream of requests gains.

Each point says whether its model was measured or modelled: filled and outlined marks, and in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.endtoend.accelerators import ACCELERATORS, USUAL, UTILISATIONS
from experiments.endtoend.models import MODELS
from experiments.results import LEFT_OUT, RESULTS, Row
from experiments.studies.end_to_end import IN_TURNS, MODEL, MODELLED, OVERLAPPED, STREAM, STREAMED_ON, WAITED, at
from experiments.workloads import WORKLOADS
from plots import style
from plots.tables import machine, rows, script, threads_of

_NAMES: Final = ("hf-pil", "hf-torchvision", "autosched-pil", "autosched")
_PHOTOGRAPH: Final = "1920x1080"
_HERE: Final = "measured here"
_BAR: Final = 0.8
_GAP: Final = 2.0
"""Lines between two models."""

_PAPER: Final = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
_LABELLED: Final = ("hf-torchvision", "autosched")
_TITLES: Final = {
    "hf-pil": "Hugging Face, PIL",
    "hf-torchvision": "Hugging Face, torchvision",
    "autosched-pil": "autosched, bits of PIL",
    "autosched": "autosched, bits of torchvision",
}


def figures(folder: Path = RESULTS) -> Iterator[tuple[str, Figure | None]]:
    """The shares, and the streams."""
    found = rows("endtoend", folder)
    yield "endtoend-share", shares(found)
    yield "endtoend-stream", streams(found)


def shares(found: Sequence[Row]) -> Figure | None:
    """Points for each model, device and preparer, one panel a number of threads."""
    shown = [row for row in found if row.measure == "share" and _PHOTOGRAPH in row.workload]
    if not shown:
        return None
    counts = sorted({row.threads for row in shown})
    devices = (_HERE, *ACCELERATORS)
    lines = [(place, device) for place in _places(shown) for device in devices if _of(shown, place, device)]
    positions, y = [], 0.0
    for index, (place, _) in enumerate(lines):
        y += 1.0 if index and lines[index - 1][0] == place else _GAP
        positions.append(y)
    size = (3.2 + 3.4 * len(counts), 1.8 + 0.2 * y)
    figure, panels = plt.subplots(1, len(counts), figsize=size, sharey=True, squeeze=False)
    for axes, threads in zip(panels[0], counts, strict=True):
        here = [row for row in shown if row.threads == threads]
        for position, (place, device) in zip(positions, lines, strict=True):
            _share_line(axes, position, _of(here, place, device), device)
        axes.set(xlim=(0, 100), ylim=(y + 0.8, 0.4), xlabel="share of preparing the image, %")
        axes.grid(axis="x", linewidth=0.4, alpha=0.5)
        axes.set_title(f"preparing on {threads_of(threads)}", loc="left", fontsize=9)
        for index, (place, _) in enumerate(lines):
            if not index or lines[index - 1][0] != place:
                text = (1, positions[index] - 0.95)
                axes.annotate(_place_title(*place), text, fontsize=7.5, fontweight="bold", va="center")
    panels[0][0].set_yticks(positions, [_device_title(shown, place, device) for place, device in lines], fontsize=7)
    for name in _NAMES:
        panels[0][0].plot([], [], "o", color=style.COLOURS[name], label=_TITLES[name], markersize=5)
    figure.legend(loc="lower left", ncols=len(_NAMES), fontsize=7, frameon=False, bbox_to_anchor=(0.0, -0.03))
    bands = f"{min(UTILISATIONS):.0%} to {max(UTILISATIONS):.0%}"
    figure.suptitle(
        "Share of preparing the image in the time from a decoded 1080p photograph to the first token, one request\n"
        f"Filled: preparation and model MEASURED; preparation on {machine(found)}; random weights, bf16.\n"
        f"Outlined: the same preparation, model MODELLED: its matrix products at {USUAL:.0%} of the device's"
        f" published peak\n(bars: {bands}), or reading its weights once where that is longer.",
        x=0.01, ha="left", fontsize=8.5,
    )  # fmt: skip
    figure.tight_layout()
    return figure


def _of(rows: Sequence[Row], place: tuple[str, str], device: str) -> list[Row]:
    """The shares of a model on a device."""
    wanted = (*place, "share", "" if device == _HERE else MODELLED, "" if device == _HERE else device)
    return [row for row in rows if (row.family, row.workload, row.measure, row.case, row.part) == wanted]


def _device_title(rows: Sequence[Row], place: tuple[str, str], device: str) -> str:
    if device != _HERE:
        return f"{device}, modelled"
    note = _of(rows, place, device)[0].note
    where = note.partition("model on ")[2].partition(",")[0] or "measured"
    return f"{where}, {'vision tower only' if 'vision tower only' in note else 'measured'}"


def _share_line(axes: Axes, position: float, rows: Sequence[Row], device: str) -> None:
    """The points of one model on one device."""
    modelled = device != _HERE
    for name in _NAMES:
        found = {row.against: row for row in rows if row.implementation == name}
        row = found.get(at(USUAL) if modelled else "")
        if row is None:
            continue
        colour = style.COLOURS[name]
        if modelled:
            ends = [found[at(utilisation)].value for utilisation in UTILISATIONS]
            axes.plot([min(ends), max(ends)], [position] * 2, color=colour, linewidth=2.5, alpha=0.35, zorder=2)
        face = "white" if modelled else colour
        axes.plot(row.value, position, "o", markersize=5, color=colour, markerfacecolor=face, zorder=3, clip_on=False)
        if modelled and name in _LABELLED:
            below = name == "autosched"
            axes.annotate(
                _rounded(row.value), (row.value, position), (0, -9 if below else 4), textcoords="offset points",
                ha="center", fontsize=6,
            )  # fmt: skip
    if rows and not modelled:
        values = {row.implementation: row.value for row in rows}
        text = ", ".join(f"{_rounded(values[name])} {name}" for name in _NAMES if name in values)
        axes.annotate(
            text, (max(values.values()), position), (6, 0), textcoords="offset points", va="center", fontsize=6
        )


def _rounded(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"


def streams(found: Sequence[Row]) -> Figure | None:
    """Bars of requests a second, in turns and overlapped: through the model here, and with a wait in its place.

    On the largest number of threads that was measured.
    """
    shown = [row for row in found if row.case == STREAM or (row.case == WAITED and _PHOTOGRAPH in row.workload)]
    shown = [row for row in shown if row.threads == max(each.threads for each in shown) and row.measure != LEFT_OUT]
    if not shown:
        return None
    places = {(row.case, row.family, row.workload, row.threads) for row in shown}
    chosen = sorted(places, key=lambda place: (place[0] != STREAM, list(MODELS).index(place[1]), place[2:]))
    columns = 2
    lines = -(-len(chosen) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(8.2, 1.0 + 1.75 * lines), squeeze=False)
    for axes in grid.flat[len(chosen) :]:
        axes.axis("off")
    for axes, (case, family, workload, threads) in zip(grid.flat, chosen, strict=False):
        here = [r for r in shown if (r.case, r.family, r.workload) == (case, family, workload)]
        _stream_panel(axes, here)
        measured = f"MEASURED here: {threads} threads in turns, or one for each side"
        what = measured if case == STREAM else f"MODELLED {STREAMED_ON}, preparing on {threads} threads"
        axes.set_title(f"{_place_title(family, workload)}\n{what}", loc="left", fontsize=7.5)
    figure.suptitle(
        "A stream of requests: first tokens a second, the next image prepared in turns or overlapped\n"
        f"Preparation measured on {machine(found)}. MODELLED: a wait stands for the device, of the model's matrix"
        f" products at {USUAL:.0%} of the published peak;\nthe dashed line is what the device alone could do.",
        x=0.01, ha="left", fontsize=8.5,
    )  # fmt: skip
    figure.tight_layout()
    return figure


def _stream_panel(axes: Axes, rows: Sequence[Row]) -> None:
    names = [name for name in reversed(_NAMES) if any(r.implementation == name and r.part == IN_TURNS for r in rows)]
    height = _BAR / 2
    for position, name in enumerate(names):
        for lane, shift in ((IN_TURNS, -height / 2), (OVERLAPPED, height / 2)):
            row = next(r for r in rows if (r.implementation, r.part, r.measure) == (name, lane, "throughput"))
            colour, y = style.COLOURS[name], position + shift
            style_of = {"color": colour} if lane == OVERLAPPED else {"facecolor": "white", "edgecolor": colour}
            axes.barh(y, row.value, height * 0.9, zorder=2, **style_of)
            axes.plot([row.low, row.high], [y, y], color=style.INK, linewidth=0.9, zorder=3)
            axes.annotate(f"{row.value:.3g}  {lane}", (max(row.high, row.value), y), (3, 0), va="center",
                          textcoords="offset points", fontsize=6, bbox=_PAPER)  # fmt: skip
    device = next(
        (r.value for r in rows if (r.implementation, r.part, r.against) == (MODEL, STREAMED_ON, at(USUAL))), 0
    )
    if device:
        axes.axvline(1000 / device, color=style.INK, linewidth=0.8, linestyle="--", zorder=1)
    axes.set_yticks(range(len(names)), [_TITLES[name].replace(", ", ",\n") for name in names], fontsize=6.5)
    axes.invert_yaxis()
    axes.set_xlabel("1/s", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.margins(x=0.2)


def _places(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Models with their photographs, in the order of the models and of the work."""
    return sorted(
        {(row.family, row.workload) for row in rows}, key=lambda place: (list(MODELS).index(place[0]), -len(place[1]))
    )


def _place_title(family: str, workload: str) -> str:
    return f"{MODELS[family].title}, {WORKLOADS[workload].title}"


if __name__ == "__main__":
    script(figures)
