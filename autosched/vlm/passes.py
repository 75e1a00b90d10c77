"""What the algorithms of all families begin with: an image is resized in two passes, and its bytes become values.

A family adds a layout of its output (patches, tiles), size rules and settings. Schedules share how the two passes are
computed: a strip of the output at a time, in the cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.imaging.coefficients import Flavour, axis_window
from autosched.imaging.normalize import Constants, normalized
from autosched.imaging.resample import AxisPass, axis_pass
from autosched.lang import Func, Input, Pipeline, f32, u8, variables
from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.vlm.lookup import tuned
from autosched.vlm.preparation import Preparation, Values
from autosched.workload import Bucket, nearest

#: Regions of images, by `stretch`: how many bytes of a source row one output pixel spans, its resize ratio times its
#: bytes per pixel (4 in Pillow's memory, 3 in numpy's, 1 in planes). It decides how many output pixels share a window
#: of 128 source bytes: 16, 8, 4 or fewer. The limits are the geometric means between neighbours.
BUCKETS = (
    Bucket("native", {"stretch": 4.9}),
    Bucket("halved", {"stretch": 11.2}),
    Bucket("quartered", {"stretch": 22.9}),
    Bucket("tiny", {"stretch": 63.0}),
)
_WINDOW_LANES = {"native": 16, "halved": 8, "quartered": 4, "tiny": 16}


@dataclass(frozen=True)
class Algorithm(ABC):
    """An image to resized and normalised values in a layout; does not depend on sizes.

    Attributes:
        flavour: whose resize and whose normalisation.
        vertical_first: order of the two passes.
        values: how bytes become values.
    """

    flavour: Flavour = "torchvision"
    vertical_first: bool = False
    values: Values = "division"

    @property
    @abstractmethod
    def name(self) -> str:
        """The pipeline's name, which files of records are called after."""

    @abstractmethod
    def layout(self, values: Func) -> Func:
        """The output Func of `values` [c, y, x]."""

    @abstractmethod
    def default(self, bucket: Bucket) -> Schedule:
        """The built-in schedule."""

    def pipeline(self) -> Pipeline:
        """The algorithm: Funcs `first`, `resized`, `normalized` [c, y, x], and those of the layout."""
        return _build(self)[0]

    @property
    def suffix(self) -> str:
        """The part of `name` that says how pixels are made."""
        return f"{'-vertical-first' if self.vertical_first else ''}-{self.values}"


@lru_cache(maxsize=64)
def _build(a: Algorithm) -> tuple[Pipeline, AxisPass, AxisPass]:
    c, y, x = variables("c y x")
    src = Input("src", u8, 3)
    horizontal = axis_pass("x", src.extent(1), a.flavour)
    vertical = axis_pass("y", src.extent(0), a.flavour)
    first, resized, values = Func("first"), Func("resized"), Func("normalized")
    if a.vertical_first:
        first[c, y, x] = vertical.at(y, lambda j: src[j, x, c])
        resized[c, y, x] = horizontal.at(x, lambda j: first[c, y, j])
    else:
        first[c, y, x] = horizontal.at(x, lambda j: src[y, j, c])
        resized[c, y, x] = vertical.at(y, lambda j: first[c, j, x])
    if a.values == "bytes":
        values[c, y, x] = resized[c, y, x]
    elif a.values == "table":
        values[c, y, x] = Input("values", f32, 2)[c, resized[c, y, x]]
    else:
        values[c, y, x] = normalized(resized[c, y, x], c, Constants(), a.flavour, a.values)
    return Pipeline(a.layout(values), a.name), horizontal, vertical


@dataclass(frozen=True)
class Canvas:
    """What of a resized image is computed: `extent` (height, width) pixels from `origin` on, zeros where it has none.

    The zeros are bytes: values are made of them as of any other byte.
    """

    size: tuple[int, int]
    origin: tuple[int, int] = (0, 0)
    extent: tuple[int, int] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of what is computed."""
        return self.size if self.extent is None else self.extent


def pass_arguments(
    algorithm: Algorithm, preparation: Preparation, image: npt.NDArray[np.uint8], canvas: Canvas
) -> dict[str, Any]:
    """What a kernel of `algorithm` is bound to for an image [H, W, C], the output and the layout's own excepted."""
    _, *passes = _build(algorithm)
    given: dict[str, Any] = {"src": image}
    for axis, along in ((1, passes[0]), (0, passes[1])):
        start = canvas.origin[axis]
        window = axis_window(
            image.shape[axis],
            canvas.size[axis],
            preparation.filter,
            preparation.flavour,
            start,
            start + canvas.shape[axis],
        )
        given |= along.bind(window)
    return given if algorithm.values == "bytes" else given | preparation.constants


def strips(s: Schedule, a: Algorithm, bucket: Bucket, consumer: str, var: str) -> Schedule:
    """Adds both passes of the resize to a schedule, computed in loop `var` of `consumer`.

    The reductions are widening dot products of four taps.
    """
    s = s.compute_at("first", consumer, var).vectorize("first", "yk" if a.vertical_first else "xk", 4)
    s = s.compute_at("resized", consumer, var).vectorize("resized", "xk" if a.vertical_first else "yk", 4)
    if a.vertical_first:
        s = (
            s.reorder("first", "y", "x", "c")
            .vectorize("first", "x", 16, "shift_inwards")
            .unroll("first", "c", CHANNELS)
        )
        s = s.reorder("resized", "y", "c", "x").vectorize("resized", "x", 16, "shift_inwards")
        return s.loads("first", "src", "permute64").loads("resized", "first", "permute128")
    s = s.reorder("first", "y", "x", "c").vectorize("first", "x", _WINDOW_LANES[bucket.name], "shift_inwards")
    s = s.unroll("first", "c", CHANNELS).loads("first", "src", "pick" if bucket.name == "tiny" else "permute128")
    return s.reorder("resized", "y", "c", "x").vectorize("resized", "x", 64)


def measures(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> dict[str, float]:
    """What places an image [H, W, C] that is resized to `size` in a bucket."""
    return {"stretch": image.shape[1] * max(abs(image.strides[1]), 1) / size[1]}


@lru_cache(maxsize=256)
def kernel(algorithm: Algorithm, schedule: Schedule) -> Kernel:
    """The compiled pipeline; kept, because building it anew costs more than running it."""
    return Kernel(algorithm.pipeline(), schedule)


def best_schedule(algorithm: Algorithm, image: npt.NDArray[np.uint8], size: tuple[int, int], threads: int) -> Schedule:
    """The schedule tuned on this machine for an image like this, or the built-in default."""
    bucket = nearest(measures(image, size), BUCKETS)
    assert bucket is not None
    return _best(algorithm, bucket.name, threads)


@lru_cache(maxsize=256)
def _best(algorithm: Algorithm, bucket: str, threads: int) -> Schedule:
    """Looked up once a process."""
    chosen = next(b for b in BUCKETS if b.name == bucket)
    return tuned(algorithm.pipeline(), chosen, threads).schedule or algorithm.default(chosen)
