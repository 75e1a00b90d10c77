"""SigLIP 2 (NaFlex): patches with their channels last, as many as fit a budget at the image's aspect."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.imaging.byte_table import CHANNELS
from autosched.lang import Expr, Func, Type, f32, relayout, variables
from autosched.runtime import default_threads, run_calls
from autosched.schedule import Schedule
from autosched.vlm.calls import Settings
from autosched.vlm.passes import (
    BUCKETS,
    Algorithm,
    Canvas,
    Source,
    fetches_lines,
    measures,
    pass_arguments,
    passes_of,
    rgb,
    strips,
)
from autosched.vlm.photographs import specimens
from autosched.vlm.pillow import given_pixels
from autosched.vlm.preparation import HALF, Preparation, Reference
from autosched.vlm.registry import KernelFamily, name_of, register
from autosched.vlm.sizes import Size
from autosched.vlm.tile_family import processor
from autosched.workload import Binding, Bucket, Workload

_PRECISION: Final = 1e-5
_LARGEST_SCALE: Final = 100.0


@lru_cache(maxsize=1024)
def budgeted(height: int, width: int, patch: int, most: int) -> Size:
    """The size in whole patches, `most` at most, of the largest scale that a bisection finds.

    Sides are rounded up to patches; the bisection is the published one, step by step, because its last scale decides.
    """

    def scaled(side: int, scale: float) -> int:
        return max(patch, math.ceil(side * scale / patch) * patch)

    low, high = _PRECISION / 10, _LARGEST_SCALE
    while high - low >= _PRECISION:
        middle = (low + high) / 2
        if (scaled(height, middle) / patch) * (scaled(width, middle) / patch) <= most:
            low = middle
        else:
            high = middle
    return scaled(height, low), scaled(width, low)


@dataclass(frozen=True)
class FlatAlgorithm(Algorithm):
    """An `Algorithm` whose output `patches` [gy, gx, py, px, c] is patches of `patch` x `patch` pixels."""

    patch: int = 16

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return f"flat-patches-{self.flavour}-p{self.patch}{self.suffix}"

    def layout(self, resized: Func, value: Callable[[Expr, Expr], Expr]) -> Func:
        """Funcs `normalized` [c, y, x] and `patches`."""
        gy, gx, py, px, c, y, x = variables("gy gx py px c y x")
        values = Func("normalized")
        values[c, y, x] = value(resized[c, y, x], c)
        out = relayout(values, "patches", (gy, gx, py, px, c), (c, gy * self.patch + py, gx * self.patch + px))
        return out.bound(py, self.patch).bound(px, self.patch).bound(c, CHANNELS)

    def default(self, bucket: Bucket) -> Schedule:
        """The built-in schedule: strips of a row of patches."""
        s = Schedule().inline("normalized").reorder("patches", "gy", "gx", "py", "c", "px").parallel("patches", "gy")
        s = s.unroll("patches", "c", CHANNELS)
        lanes = min(16, 1 << (self.patch.bit_length() - 1))
        if lanes > 1:
            s = s.vectorize("patches", "px", lanes)
            s = s.prefetch_stores("patches", "gx") if fetches_lines() else s
        return strips(s, self, bucket, "patches", "gy")


@dataclass(frozen=True)
class Siglip2(Settings):
    """Patches of an image.

    Attributes:
        preparation: the settings of pixels.
        patch: side of a patch in pixels.
        most: the budget of patches.
    """

    preparation: Preparation = field(default_factory=lambda: Preparation(filter="bilinear", mean=HALF, std=HALF))
    patch: int = 16
    most: int = 256

    def __post_init__(self) -> None:
        if self.patch < 1 or self.most < 1:
            raise ArgumentError(f"patch is {self.patch} and most {self.most}; both must be at least 1.")

    def size(self, height: int, width: int) -> Size:
        """Height and width that an image is resized to."""
        return budgeted(height, width, self.patch, self.most)

    @property
    def row_length(self) -> int:
        """Floats of one patch."""
        return self.patch * self.patch * CHANNELS

    def grid(self, size: Size) -> Size:
        """Rows and columns of patches in an image of `size`."""
        return size[0] // self.patch, size[1] // self.patch

    def algorithm(self, height: int, width: int, place: Size) -> FlatAlgorithm:
        """The algorithm for an image of height x width pixels that is resized to `place`, all of which is computed."""
        return self._algorithm(**passes_of(self.preparation, height, width, Canvas(place)))

    @property
    def resizing(self) -> FlatAlgorithm:
        """The algorithm for images that both passes resize, rows first."""
        return self._algorithm()

    def _algorithm(self, **passes: bool) -> FlatAlgorithm:
        p = self.preparation
        return FlatAlgorithm(
            p.flavour, values=p.values, dtype=p.dtype, arithmetic=p.arithmetic, patch=self.patch, **passes
        )

    def view(self, rows: npt.NDArray[Any], size: Size) -> npt.NDArray[Any]:
        """The rows of one image in the output, as the array that the pipeline writes."""
        return rows.reshape(*self.grid(size), self.patch, self.patch, CHANNELS)

    def arguments(self, algorithm: FlatAlgorithm, image: Source, *place: Size) -> dict[str, Any]:
        """What the kernel of `algorithm` is bound to for an image and its size, the output excepted."""
        return pass_arguments(algorithm, self.preparation, image, Canvas(*place))

    def run(
        self,
        images: Sequence[Source],
        sizes: Sequence[Size],
        outs: Sequence[npt.NDArray[Any]],
        threads: int | None = None,
    ) -> None:
        """Computes the patches of each image [H, W, C] into rows, C-contiguous ``[gh * gw, row_length]``."""
        workers = default_threads() if threads is None else threads
        each = zip(images, sizes, outs, strict=True)
        run_calls([self.call(rgb(i), size, (size,), self.view(out, size), workers) for i, size, out in each], workers)


def workload(settings: Siglip2, images: Sequence[Any], _settings: Mapping[str, Any]) -> Workload:
    """The calls that make patches of PIL images as one batch, from Pillow's memory layout."""
    made: list[Binding] = []
    stretch: list[float] = []
    for image in images:
        pixels = np.asarray(image.convert("RGBX"))[:, :, :CHANNELS]
        size = settings.size(*pixels.shape[:2])
        shape = (*settings.grid(size), settings.patch, settings.patch, CHANNELS)
        made.append(Binding(settings.arguments(settings.resizing, pixels, size), shape))
        stretch.append(measures(pixels, size)["stretch"])
    return Workload("images", tuple(made), {"stretch": float(np.median(stretch))}, items=len(images))


def outputs(
    settings: Siglip2, images: Sequence[Any], _settings: Mapping[str, Any], threads: int
) -> list[npt.NDArray[Any]]:
    """The patches of each image, ``[patches, row_length]``; see `KernelFamily.compute`."""
    pixels = [given_pixels(image) for image in images]
    sizes = [settings.size(*each.shape[:2]) for each in pixels]
    outs = [settings.preparation.empty((math.prod(settings.grid(size)), settings.row_length)) for size in sizes]
    settings.run(pixels, sizes, outs, threads)
    return outs


def _family(reference: Reference, dtype: Type = f32) -> KernelFamily:
    settings = Siglip2()
    settings = replace(settings, preparation=replace(settings.preparation, reference=reference, dtype=dtype))
    p = settings.preparation
    algorithm = settings.resizing
    make = processor("Siglip2ImageProcessor", p)
    return KernelFamily(
        name=name_of("siglip2", p),
        summary=f"SigLIP 2 (NaFlex) still images to patches, bit for bit as transformers' {reference} backend",
        pipeline=algorithm.pipeline,
        schedules={"default": partial(FlatAlgorithm.default, algorithm)},
        specimens=specimens,
        workload=partial(workload, settings),
        compute=partial(outputs, settings),
        buckets=BUCKETS,
        processors={b: lambda _, b=b: make(b) for b in ("torchvision", "pil")},  # type: ignore[misc]
        space="flat-patches.toml",
        dtype=dtype,
        rounded=partial(_family, reference),
    )


_REFERENCES: Final[tuple[Reference, ...]] = ("torchvision", "pil")
for _reference in _REFERENCES:
    register(_family(_reference))
