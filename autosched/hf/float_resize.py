"""How the running torch sums when it resizes floats: asked once a process, for it depends on the CPU and the build."""

from __future__ import annotations

from functools import cache
from typing import Final, Literal

import numpy as np

from autosched.imaging.coefficients import Filter, axis_table
from autosched.imaging.resample import axis_pass
from autosched.lang import Func, Input, Pipeline, f32, interpret, variables

#: Sides before and after, for windows of 1 to 54 taps that end in groups of every length.
_PROBED: Final = ((7, 13), (31, 29), (37, 61), (61, 31), (90, 50), (200, 33), (300, 90), (400, 30))
_FILTERS: Final[tuple[Filter, ...]] = ("bilinear", "bicubic")
_ROWS: Final = 16


@cache
def float_arithmetic() -> Literal["float", "fused"] | None:
    """The arithmetic whose bits torch's antialiased resize of floats has here; None where it is another."""
    forms: tuple[Literal["fused", "float"], ...] = ("fused", "float")
    for form in forms:
        if all(_agrees(form, before, after, f) for before, after in _PROBED for f in _FILTERS):
            return form
    return None


def _agrees(form: Literal["float", "fused"], before: int, after: int, filter: Filter) -> bool:
    import torch

    rows = np.random.default_rng(before).random((_ROWS, before), np.float32)
    table = axis_table(before, after, filter, "torchvision", form)
    r, x = variables("r x")
    source, out = Input("source", f32, 2), Func("resized")
    along = axis_pass("x", source.extent(1), "torchvision", form)
    out[r, x] = along.at(x, lambda j: source[r, j])
    tables = {name: array for name, array in along.bind(table).items() if isinstance(array, np.ndarray)}
    ours = interpret(Pipeline(out), (_ROWS, after), {"source": rows, **tables}, {along.taps.name: table.taps})
    images = torch.from_numpy(rows)[None, None]
    theirs = torch.nn.functional.interpolate(
        images, size=(_ROWS, after), mode=filter, align_corners=False, antialias=True
    )
    return bool(ours.tobytes() == theirs.numpy().tobytes())
