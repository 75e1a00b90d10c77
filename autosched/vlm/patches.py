"""Images to patches: resize, rescale, normalise and cut, as one algorithm with named schedules.

What the Qwen-VL families (and every family that flattens patches of a resized image) have in common. The algorithm
does not depend on the sizes; a family adds its size rule and its settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS, normalize_table
from autosched.imaging.coefficients import Filter, Flavour, axis_table, vertical_first
from autosched.imaging.normalize import FORMS, Constants, Form, agrees, constants, normalized
from autosched.imaging.patchify import patchify
from autosched.imaging.resample import AxisPass, axis_pass
from autosched.lang import Func, Input, Pipeline, f32, relayout, u8, variables
from autosched.runtime import Call, Kernel
from autosched.schedule import Schedule
from autosched.vlm.lookup import tuned
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
class PatchAlgorithm:
    """What the pipeline is built for.

    Attributes:
        flavour: whose resize and whose normalisation.
        patch, merge, frames: patch side in pixels, side of a square of patches, copies of the frame.
        vertical_first: order of the two passes.
        values: how bytes become values: the arithmetic of a `normalize.Form`, or a table [3, 256].
    """

    flavour: Flavour = "torchvision"
    patch: int = 14
    merge: int = 2
    frames: int = 2
    vertical_first: bool = False
    values: Form | Literal["table"] = "division"

    def pipeline(self) -> Pipeline:
        """The algorithm: Funcs `first`, `resized`, `normalized` [c, y, x], `staged` and `patches` (one layout)."""
        return _build(self)[0]


@lru_cache(maxsize=64)
def _build(a: PatchAlgorithm) -> tuple[Pipeline, AxisPass, AxisPass]:
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
    if a.values == "table":
        values[c, y, x] = Input("values", f32, 2)[c, resized[c, y, x]]
    else:
        values[c, y, x] = normalized(resized[c, y, x], c, Constants(), a.flavour, a.values)
    # The same layout twice: a schedule can put patches together in the cache before they go to memory in whole lines.
    staged = patchify(values, "staged", a.patch, a.merge, a.frames)
    out = relayout(staged, "patches", staged.args, staged.args)
    for name, extent in staged.bounds.items():
        out.bound(next(v for v in out.args if v.name == name), extent)
    order = "-vertical-first" if a.vertical_first else ""
    name = f"patches-{a.flavour}-p{a.patch}{order}-{a.values}"
    return Pipeline(out, name), horizontal, vertical


def naive(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v1: every stage computed at the root, in parallel rows, vectorised along x."""
    s = Schedule()
    for name in ("first", "resized", "normalized"):
        s = s.compute_root(name).reorder(name, "y", "c", "x").parallel(name, "y").vectorize(name, "x", 16)
    return s.parallel("patches", "gy").vectorize("patches", "px", 16)


def pointwise_fused(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v2: as v1, with normalisation computed where patches are written."""
    s = Schedule()
    for name in ("first", "resized"):
        s = s.compute_root(name).reorder(name, "y", "c", "x").parallel(name, "y").vectorize(name, "x", 16)
    return s.inline("normalized").parallel("patches", "gy").vectorize("patches", "px", 16)


def fused(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v3: both passes one strip of patches at a time, in the cache, then values and patches straight to the output.

    Both copies of the frame are stored from one computation. The reductions are widening dot products of four taps.
    """
    s = Schedule().inline("normalized")
    s = s.reorder("patches", "gy", "gx", "my", "mx", "c", "py", "px", "t").parallel("patches", "gy")
    s = s.unroll("patches", "t", a.frames).vectorize("patches", "px", _lanes(a.patch))
    return _passes(s, a, bucket)


def streamed(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """As v3, but neighbouring patches are put together in the cache and go past the caches to memory in whole lines.

    The output is larger than the caches and is not read again here: fetching its lines, only to overwrite them, costs
    as much as writing them.
    """
    s = Schedule().inline("normalized").compute_at("staged", "patches", "gx")
    s = s.reorder("staged", "gy", "gx", "my", "mx", "c", "py", "px", "t")
    s = s.vectorize("staged", "px", _lanes(a.patch)).unroll("staged", "t", a.frames)
    s = s.reorder("patches", "my", "gx").fuse("patches", "py", "px", "frame").fuse("patches", "t", "frame", "frames")
    s = s.fuse("patches", "c", "frames", "patch").fuse("patches", "mx", "patch", "square")
    s = s.vectorize("patches", "square", 16).stream("patches").parallel("patches", "gy")
    return _passes(s, a, bucket)


def _passes(s: Schedule, a: PatchAlgorithm, bucket: Bucket) -> Schedule:
    """Adds both passes of the resize, a strip of patches at a time."""
    s = s.compute_at("first", "patches", "gy").vectorize("first", "yk" if a.vertical_first else "xk", 4)
    s = s.compute_at("resized", "patches", "gy").vectorize("resized", "xk" if a.vertical_first else "yk", 4)
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


def _lanes(patch: int) -> int:
    """The least power of two of lanes that holds a row of a patch, 16 at most."""
    return min(max(2, 1 << (patch - 1).bit_length()), 16)


#: Schedules by name; each takes the algorithm and a bucket.
NAMED = {"default": streamed, "v1": naive, "v2": pointwise_fused, "v3": fused}


def measures(image: npt.NDArray[np.uint8], size: tuple[int, int]) -> dict[str, float]:
    """What places an image [H, W, C] that is resized to `size` in a bucket."""
    return {"stretch": image.shape[1] * max(abs(image.strides[1]), 1) / size[1]}


@lru_cache(maxsize=256)
def kernel(algorithm: PatchAlgorithm, schedule: Schedule) -> Kernel:
    """The compiled pipeline; kept, because building it anew costs more than running it."""
    return Kernel(algorithm.pipeline(), schedule)


@dataclass(frozen=True)
class PatchSettings:
    """The settings of a processor that its pixels depend on."""

    flavour: Flavour
    patch: int
    merge: int
    frames: int
    filter: Filter
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rescale_factor: float
    do_rescale: bool
    do_normalize: bool

    def algorithm(self, height: int, width: int, size: tuple[int, int]) -> PatchAlgorithm:
        """The algorithm for an image of height x width pixels that is resized to `size`."""
        first = self.flavour == "pillow" and vertical_first(height, width, *size)
        return PatchAlgorithm(self.flavour, self.patch, self.merge, self.frames, first, _values(self)[0])

    def arguments(self, image: npt.NDArray[np.uint8], size: tuple[int, int]) -> dict[str, Any]:
        """What the kernel of `algorithm` is bound to, the output excepted."""
        height, width = image.shape[:2]
        algorithm = self.algorithm(height, width, size)
        _, horizontal, vertical = _build(algorithm)
        flavour = self.flavour
        return {
            "src": image,
            **horizontal.bind(axis_table(width, size[1], self.filter, flavour)),
            **vertical.bind(axis_table(height, size[0], self.filter, flavour)),
            **_values(self)[1],
        }

    def view(self, rows: npt.NDArray[np.float32], size: tuple[int, int]) -> npt.NDArray[np.float32]:
        """The rows of one image in the output, as the array that the pipeline writes."""
        p, m = self.patch, self.merge
        return rows.reshape(size[0] // (p * m), size[1] // (p * m), m, m, CHANNELS, self.frames, p, p)

    def bind(
        self, image: npt.NDArray[np.uint8], size: tuple[int, int], rows: npt.NDArray[np.float32], schedule: Schedule
    ) -> Call:
        """A call that computes the rows of one image."""
        algorithm = self.algorithm(image.shape[0], image.shape[1], size)
        return kernel(algorithm, schedule).bind(out=self.view(rows, size), **self.arguments(image, size))


@lru_cache(maxsize=64)
def _values(s: PatchSettings) -> tuple[Form | Literal["table"], dict[str, npt.NDArray[Any]]]:
    """How bytes become values, and the arrays: the fastest arithmetic that is proven to give the table's bits."""
    table = normalize_table(s.mean, s.std, s.rescale_factor, s.do_rescale, s.do_normalize, s.flavour)
    if s.do_rescale and s.do_normalize:
        for form in FORMS:
            if agrees(table, s.mean, s.std, s.rescale_factor, s.flavour, form):
                arrays = constants(s.mean, s.std, s.rescale_factor, s.flavour)
                unread = {"inverse"} if form == "division" else set()
                unread |= {"rescale"} if s.flavour != "pillow" else set()
                return form, {name: array for name, array in arrays.items() if name not in unread}
    return "table", {"values": table}


def best_schedule(
    algorithm: PatchAlgorithm, image: npt.NDArray[np.uint8], size: tuple[int, int], threads: int
) -> Schedule:
    """The schedule tuned on this machine for an image like this, or the built-in default."""
    bucket = nearest(measures(image, size), BUCKETS)
    assert bucket is not None
    return _best(algorithm, bucket.name, threads)


@lru_cache(maxsize=256)
def _best(algorithm: PatchAlgorithm, bucket: str, threads: int) -> Schedule:
    """Looked up once a process."""
    chosen = next(b for b in BUCKETS if b.name == bucket)
    return tuned(algorithm.pipeline(), chosen, threads).schedule or streamed(algorithm, chosen)
