"""The figures of a report: how a search went, and what trades time for memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autosched.tune import Trial

_BLUE, _ORANGE, _GREY, _INK = "#0072B2", "#D55E00", "#7F7F7F", "#222222"
#: Ticks of each decade of ratios.
_RATIOS = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)


def history(trials: Sequence[Trial]) -> Any:
    """Each trial's time over the default's, and the best so far."""
    timed = [(i, t.outcome.ratio) for i, t in enumerate(trials) if t.outcome.ratio is not None]
    failed = [i for i, t in enumerate(trials) if t.outcome.ratio is None]
    best = [min(r for _, r in timed[: n + 1]) for n in range(len(timed))]
    made, axes = _figure()
    axes.scatter([i for i, _ in timed], [r for _, r in timed], s=12, color=_BLUE, label="trials")
    axes.step([i for i, _ in timed], best, where="post", color=_ORANGE, label="best so far")
    axes.axhline(1, color=_INK, linewidth=0.6)
    if failed:
        top = max((r for _, r in timed), default=1.0)
        axes.scatter(failed, [top] * len(failed), s=14, marker="x", color=_GREY, label="failed")
    axes.set_yscale("log")
    _plain_log(axes.yaxis, _RATIOS)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("trial")
    axes.set_ylabel("time over the default's (log)")
    axes.legend(frameon=False, fontsize=8)
    return made


def trade_offs(trials: Sequence[Trial], front: Sequence[Trial]) -> Any:
    """Time over the default's against the memory of all trials that were timed to the end; the front as steps."""
    made, axes = _figure()
    everyone = [t for t in trials if t.outcome.kind == "ok" and t.outcome.ratio is not None]
    for chosen, colour, size in ((everyone, _BLUE, 12), (front, _ORANGE, 26)):
        axes.scatter([_megabytes(t) for t in chosen], [t.outcome.ratio for t in chosen], s=size, color=colour)
    steps = sorted((_megabytes(t), t.outcome.ratio) for t in front)
    axes.step([m for m, _ in steps], [r for _, r in steps], where="post", color=_ORANGE, linewidth=1)
    for i, (t, (memory, ratio)) in enumerate(zip(reversed(front), steps, strict=True)):
        place = (4, 5 if i % 2 else -9)
        axes.annotate(t.label, (memory, ratio), xytext=place, textcoords="offset points", fontsize=7)
    axes.set_xscale("log")
    _plain_log(axes.xaxis, (1.0, 2.0, 5.0))
    axes.set_yscale("log")
    _plain_log(axes.yaxis, _RATIOS)
    axes.set_xlabel("memory beyond inputs and outputs, MB (log)")
    axes.set_ylabel("time over the default's (log)")
    return made


def _megabytes(trial: Trial) -> float:
    return max(trial.outcome.memory, 1000) / 1e6  # a logarithmic axis has no 0


def _figure() -> Any:
    from matplotlib.figure import Figure

    made = Figure(figsize=(9, 3.4), layout="constrained")
    axes = made.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return made, axes


def _plain_log(axis: Any, steps: tuple[float, ...]) -> None:
    """Ticks of a logarithmic axis at `steps` of each decade, as plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())
