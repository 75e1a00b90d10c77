"""How all figures look: readable in print and on dark backgrounds, labelled directly."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

FIGURES: Final = Path(__file__).parent / "figures"

#: Colours that people with colour vision deficiencies can tell apart (Okabe and Ito, 2008), ours in the warm ones.
COLOURS: Final = {
    "hf-torchvision": "#7F7F7F",
    "hf-pil": "#B5B5B5",
    "hf-compiled": "#4D4D4D",
    "model-card": "#7F7F7F",
    "hf-processors-rs": "#CC79A7",
    "halide": "#F0E442",
    "halide-adams2019": "#BFB52E",
    "opencv": "#8FBC8F",
    "kornia-rs": "#A98BC9",
    "autosched-v1": "#56B4E9",
    "autosched-v2": "#0072B2",
    "autosched-v3": "#009E73",
    "autosched-default": "#E69F00",
    "autosched": "#D55E00",
    "autosched-pil": "#E69F00",
    "autosched-card": "#D55E00",
}
#: Stages of a profile: those that compute in warm colours, those that only move bytes in cold ones.
STAGE_COLOURS: Final = {
    "pixels": "#56B4E9",
    "grouping": "#9AD0F5",
    "convert": "#0072B2",
    "layout": "#1F4E79",
    "stack": "#6A8CAF",
    "resample": "#D55E00",
    "normalise": "#E69F00",
    "kernels": "#009E73",
    "rest": "#BBBBBB",
}
PLAIN: Final = "#999999"
INK: Final = "#222222"


def apply() -> None:
    """Sets matplotlib's defaults. The background is opaque white, so that a figure looks the same on any page."""
    mpl.use("Agg")
    mpl.rcParams.update(
        {
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "text.color": INK,
            "xtick.color": INK,
            "ytick.color": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 9,
            "axes.titlesize": 10,
            "svg.hashsalt": "autosched",
            "savefig.dpi": 160,
        }
    )


def save(figure: Figure, name: str, folder: Path = FIGURES) -> Path:
    """Writes a figure as PNG; the same figure gives the same file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    figure.savefig(path, bbox_inches="tight", metadata={"Software": None})
    return path
