"""Qwen2.5-VL's preprocessing in Halide, with torchvision's weights: scheduled by hand as our v3, and by Adams2019.

Halide infers what windows read from expressions, not from tables. So a window's begin is read from the table and
clamped to what it can be, which leaves its value and gives bounds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np

from autosched.imaging.coefficients import axis_table
from autosched.vlm.preparation import CLIP_MEAN, CLIP_STD
from autosched.vlm.qwen_vl import QwenVL
from experiments.environment import package_version
from experiments.family import Family
from experiments.implementation import IMPLEMENTATIONS, Images, Implementation, NotAvailableError, Output, Run
from experiments.optional import halide, schedule_by_adams2019
from experiments.workloads import Workload

_PATCH, _MERGE, _FRAMES, _CHANNELS = 14, 2, 2, 3
_SQUARE: Final = _PATCH * _MERGE
_ESTIMATED = 1024
"""Side of the image that Adams2019 schedules for."""


class _Pass:
    """One pass of a resize: its tables, and the Func of bytes along an axis."""

    def __init__(self, hl: Any, name: str) -> None:
        self.hl, self.name = hl, name
        self.begin = hl.ImageParam(hl.Int(32), 1, f"{name}_begin")
        self.weight = hl.ImageParam(hl.Int(16), 2, f"{name}_weight")
        self.taps = hl.Param(hl.Int(32), f"{name}_taps")
        self.precision = hl.Param(hl.Int(32), f"{name}_precision")
        self.scale = hl.Param(hl.Float(32), f"{name}_scale")

    def func(self, args: tuple[Any, ...], i: Any, along: Callable[[Any], Any]) -> tuple[Any, Any]:
        """The Func of sums and the Func of bytes."""
        hl = self.hl
        tap = hl.RDom([(0, self.taps)], f"{self.name}k").x
        middle = hl.cast(hl.Int(32), hl.cast(hl.Float(32), i) * self.scale)
        begin = hl.clamp(self.begin[i], middle - self.taps, middle + 2)
        total, bytes_ = hl.Func(f"{self.name}_sum"), hl.Func(f"{self.name}_pass")
        total[args] = hl.i32(0)
        total[args] += hl.cast(hl.Int(32), along(begin + tap)) * hl.cast(hl.Int(32), self.weight[i, tap])
        half = hl.i32(1) << (self.precision - 1)
        bytes_[args] = hl.cast(hl.UInt(8), hl.clamp((total[args] + half) >> self.precision, 0, 255))
        return total, bytes_

    def bind(self, source: int, size: int) -> None:
        """Resizes `source` pixels to `size`."""
        table = axis_table(source, size, "bicubic", "torchvision")
        self._kept = table.begin.copy(), table.weights.copy()  # Halide's buffers own nothing
        self.begin.set(self.hl.Buffer(self._kept[0]))
        self.weight.set(self.hl.Buffer(self._kept[1]))
        self.taps.set(table.taps)
        self.precision.set(table.precision)
        self.scale.set(source / size)


class _Program:
    """The compiled pipeline."""

    def __init__(self, hl: Any, schedule: str, threads: int) -> None:
        self.hl = hl
        x, y, c = (hl.Var(name) for name in "xyc")
        self.source = hl.ImageParam(hl.UInt(8), 3, "source")
        self.across, self.down = _Pass(hl, "across"), _Pass(hl, "down")
        # Bounds of windows reach a little over the edges, weights do not.
        last_x, last_y = self.source.dim(1).extent() - 1, self.source.dim(2).extent() - 1

        def pixel(j: Any) -> Any:
            return self.source[c, hl.clamp(j, 0, last_x), hl.clamp(y, 0, last_y)]

        sums, first = self.across.func((x, y, c), x, pixel)
        more, resized = self.down.func((x, y, c), y, lambda j: first[x, j, c])
        mean = [float(np.float32(m) * np.float32(255)) for m in CLIP_MEAN]
        std = [float(np.float32(s) * np.float32(255)) for s in CLIP_STD]
        px, py, t, mx, my, gx, gy = (hl.Var(name) for name in ("px", "py", "t", "mx", "my", "gx", "gy"))
        byte = hl.cast(hl.Float(32), resized[(gx * _MERGE + mx) * _PATCH + px, (gy * _MERGE + my) * _PATCH + py, c])

        def of(values: list[float]) -> Any:
            return hl.mux(c, [hl.f32(value) for value in values])

        patches = hl.Func("patches")
        patches[px, py, t, c, mx, my, gx, gy] = hl.strict_float((byte - of(mean)) / of(std))
        shape = ((px, _PATCH), (py, _PATCH), (t, _FRAMES), (c, _CHANNELS), (mx, _MERGE), (my, _MERGE))
        for var, extent in shape:
            patches.bound(var, 0, extent)
        self.pipeline = hl.Pipeline(patches)
        target = hl.get_jit_target_from_environment()
        if schedule == "manual":
            patches.reorder(px, t, py, c, mx, my, gx, gy).vectorize(px).unroll(t).unroll(c).parallel(gy)
            resized.compute_at(patches, gy).vectorize(x, 32)
            more.compute_at(resized, x).vectorize(x).update().vectorize(x)
            first.compute_at(patches, gy).reorder(c, x, y).unroll(c).vectorize(x, 16)
            sums.compute_at(first, x).reorder(c, x, y).unroll(c).vectorize(x)
            sums.update().reorder(c, x, y).unroll(c).vectorize(x)
        else:
            groups = _ESTIMATED // _SQUARE
            extents = [*(extent for _, extent in shape), groups, groups]
            patches.set_estimates([hl.Range(0, extent) for extent in extents])
            self.source.set_estimates([hl.Range(0, n) for n in (_CHANNELS, _ESTIMATED, _ESTIMATED)])
            for one in (self.across, self.down):
                one.begin.set_estimates([hl.Range(0, groups * _SQUARE)])
                one.weight.set_estimates([hl.Range(0, groups * _SQUARE), hl.Range(0, 5)])
                one.taps.set_estimate(5)
                one.precision.set_estimate(15)
                one.scale.set_estimate(1.0)
            schedule_by_adams2019(hl, self.pipeline, target, threads)
        self.pipeline.compile_jit(target)

    def run(self, pixels: np.ndarray[Any, Any], size: tuple[int, int], rows: np.ndarray[Any, Any]) -> None:
        """Writes the patches of an image [H, W, 3] that is resized to `size`."""
        self.source.set(self.hl.Buffer(pixels))
        self.across.bind(pixels.shape[1], size[1])
        self.down.bind(pixels.shape[0], size[0])
        grid = size[0] // _SQUARE, size[1] // _SQUARE
        shape = (*grid, _MERGE, _MERGE, _CHANNELS, _FRAMES, _PATCH, _PATCH)
        self.pipeline.realize(self.hl.Buffer(rows.reshape(shape)))


@lru_cache(maxsize=2)
def _program(schedule: str, threads: int) -> _Program:
    """Compiled once a process: Adams2019 searches for half a minute."""
    return _Program(halide(), schedule, threads)


def _make(schedule: str, family: Family, workload: Workload, threads: int) -> Run:
    if os.environ.get("HL_NUM_THREADS") != str(threads):
        raise NotAvailableError("Halide reads its number of threads once a process: HL_NUM_THREADS has another value")
    program, rule = _program(schedule, threads), QwenVL()

    def run(images: Images) -> Output:
        import torch

        pixels = [np.array(image.convert("RGB")) for image in images]
        sizes = [rule.smart_resize(p.shape[0], p.shape[1], workload.min_pixels, workload.max_pixels) for p in pixels]
        out = np.empty((rule.rows(sizes), rule.row_length), np.float32)
        first = 0
        for image, size in zip(pixels, sizes, strict=True):
            last = first + rule.rows([size])
            program.run(image, size, out[first:last])
            first = last
        grids = np.array([[1, *rule.grid(size)] for size in sizes], np.int64)
        return {"pixel_values": torch.from_numpy(out), "image_grid_thw": torch.from_numpy(grids)}

    return run


for _name, _schedule, _title in (
    ("halide", "manual", "Halide, by hand as v3"),
    ("halide-adams2019", "adams2019", "Halide, Adams2019"),
):
    IMPLEMENTATIONS.add(
        Implementation(
            _name,
            _title,
            "hf-torchvision",
            partial(_make, _schedule),
            exact=False,
            note=lambda: f"halide {package_version('halide')}",
        )
    )
