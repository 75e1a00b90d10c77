"""Images to patches: resize, rescale, normalise and cut, as one algorithm with named schedules.

What the Qwen-VL families (and every family that flattens patches of a resized image) have in common. The algorithm
does not depend on the sizes; a family adds its size rule and its settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.imaging.patchify import patchify
from autosched.lang import Expr, Func, relayout
from autosched.runtime import Call, Memory, Replay, address_of
from autosched.schedule import Schedule
from autosched.vlm.calls import Geometry, Settings, dense
from autosched.vlm.passes import (
    BUCKETS,
    Algorithm,
    Canvas,
    Source,
    Strips,
    fetches_lines,
    pass_arguments,
    passes_at_root,
    passes_of,
    strips,
)
from autosched.vlm.preparation import Preparation
from autosched.workload import Binding, Bucket


@dataclass(frozen=True)
class PatchAlgorithm(Algorithm):
    """What the pipeline is built for: an `Algorithm` whose output is patches.

    Attributes:
        patch, merge, frames: patch side in pixels, side of a square of patches, and frames of a patch: copies of one
            image, or those of a video.
    """

    patch: int = 14
    merge: int = 2
    frames: int = 2

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return f"patches-{self.flavour}-p{self.patch}{self.suffix}"

    def layout(self, resized: Func, value: Callable[[Expr, Expr], Expr]) -> Func:
        """Funcs `cut` (bytes), `normalized` and `patches`, one layout."""
        # Bytes in the order of patches, and values in that order once more than is needed: a schedule can put patches
        # together in the cache, as bytes or as values, before they go to memory in whole lines.
        cut = patchify(resized, "cut", self.patch, self.merge, self.frames)
        here = cut.args
        channel = next(v for v in here if v.name == "c")
        values = Func("normalized")
        values[here] = value(cut[here], channel)
        out = relayout(values, "patches", here, here)
        for name, extent in cut.bounds.items():
            out.bound(next(v for v in here if v.name == name), extent)
        return out

    def default(self, bucket: Bucket) -> Schedule:
        """The built-in schedule."""
        return built_in(self, bucket)


def naive(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v1: every stage computed at the root, in parallel rows, vectorised along x."""
    s = passes_at_root(Schedule(), a)
    s = s.compute_root("cut").parallel("cut", "gy").vectorize("cut", "px", 16)
    s = s.compute_root("normalized").parallel("normalized", "gy").vectorize("normalized", "px", 16)
    return s.parallel("patches", "gy").vectorize("patches", "px", 16)


def pointwise_fused(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v2: as v1, with bytes put in order and normalised where patches are written."""
    return passes_at_root(Schedule(), a).parallel("patches", "gy").vectorize("patches", "px", 16)


def fused(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v3: both passes one strip of patches at a time, in the cache, then values and patches straight to the output.

    Both copies of the frame are stored from one computation. The reductions are widening dot products of four taps.
    """
    s = Schedule().reorder("patches", "gy", "gx", "my", "mx", "c", "py", "px", "t").parallel("patches", "gy")
    s = s.unroll("patches", "t", a.frames).vectorize("patches", "px", _above(a.patch, 16))
    return strips(s, a, bucket, "patches", "gy", Strips(slides=False))


def built_in(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """The one of `streamed` and `fetched` that suits this CPU."""
    return (fetched if fetches_lines() else streamed)(a, bucket)


def streamed(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """Whole lines past the caches to memory.

    The output is larger than the caches and is not read again here: fetching its lines, only to overwrite them, costs
    as much as writing them.
    """
    return in_order(a, bucket).stream("patches")


def fetched(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """Whole lines through the caches; while one patch is written the lines of the next are fetched."""
    return in_order(a, bucket).prefetch_stores("patches", "gx")


def in_order(a: PatchAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """As v3, but the second pass is computed a row of patches or less at a time, the bytes of a channel of a patch are
    put in order in the cache, and values are written in whole lines.

    Few bytes are put in order at a time, so that reads of them seldom wait for stores that only look as if they went
    to the same address.
    """
    # Values of 16 bits are put in order themselves, for all frames at once: rounding 8 at a time in the order of
    # patches takes longer than copying so few bytes.
    kept = "normalized" if a.dtype.is_half else "cut"
    s = Schedule().compute_at(kept, "patches", "c")
    s = s.reorder(kept, "gy", "gx", "my", "mx", "c", "py", "px", "t")
    s = s.vectorize(kept, "px", _above(a.patch, 16)).unroll(kept, "t", a.frames)
    s = s.reorder("patches", "my", "gx").fuse("patches", "py", "px", "frame").fuse("patches", "t", "frame", "frames")
    s = s.vectorize("patches", "frames", _whole(a.frames * a.patch**2)).parallel("patches", "gy")
    if bucket.name == "native" and a.arithmetic == "integer":
        for passed, taps in ((a.across, "x_taps"), (a.down, "y_taps")):
            s = s.specialize("patches", taps, 4) if passed else s  # what is enlarged has no more
    return strips(s, a, bucket, "patches", "gy", _passes(a, bucket))


def _passes(a: PatchAlgorithm, bucket: Bucket) -> Strips:
    """How images of a bucket are resized.

    Where there are few taps, two neighbouring patches are little work and stay in the first-level cache; where there
    are more, a row of patches has longer loops.
    """
    if bucket.name == "native":
        return Strips("gx", lanes=_above(a.patch * a.merge, 64), rows=8)
    return Strips("my", rows=8, taps=8 if bucket.name == "slight" else 4)


def _whole(extent: int) -> int:
    """The most lanes, 16 at most, that divide `extent`; as many as hold it where it is odd."""
    return min(extent & -extent, 16) if extent % 2 == 0 else _above(extent, 16)


def _above(extent: int, most: int) -> int:
    """The least power of two of lanes, from 2 to `most`, that holds `extent` pixels, if any does."""
    return min(max(2, 1 << (extent - 1).bit_length()), most)


#: Schedules by name; each takes the algorithm and a bucket.
NAMED = {"default": built_in, "streamed": streamed, "fetched": fetched, "v1": naive, "v2": pointwise_fused, "v3": fused}


@dataclass(frozen=True)
class PatchSettings(Settings):
    """The settings of a processor that its pixels depend on; `moving` for frames of a video, not copies of an image."""

    preparation: Preparation
    patch: int
    merge: int
    frames: int
    moving: bool = False

    def algorithm(self, height: int, width: int, place: tuple[int, int]) -> PatchAlgorithm:
        """The algorithm for an image of height x width pixels that is resized to `place`, all of which is computed."""
        return self._algorithm(**passes_of(self.preparation, height, width, Canvas(place)))

    @property
    def resizing(self) -> PatchAlgorithm:
        """The algorithm for images that both passes resize, rows first."""
        return self._algorithm()

    def _algorithm(self, **passes: bool) -> PatchAlgorithm:
        p = self.preparation
        return PatchAlgorithm(
            p.flavour,
            arithmetic=p.arithmetic,
            values=p.values,
            dtype=p.dtype,
            moving=self.moving,
            patch=self.patch,
            merge=self.merge,
            frames=self.frames,
            **passes,
        )

    def arguments(self, algorithm: PatchAlgorithm, image: Source, *place: tuple[int, int]) -> dict[str, Any]:
        """What the kernel of `algorithm` is bound to for an image and its size, the output excepted."""
        return pass_arguments(algorithm, self.preparation, image, Canvas(*place))

    @cached_property
    def _geometry(self) -> Callable[[tuple[int, int]], Geometry]:
        """Rows of patches, by the size of the image, as the array that the pipeline writes."""

        @lru_cache(maxsize=1024)
        def found(size: tuple[int, int]) -> Geometry:
            return dense(self.preparation.dtype.dtype, self._shape(size))

        return found

    def _shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        p, m = self.patch, self.merge
        return size[0] // (p * m), size[1] // (p * m), m, m, CHANNELS, self.frames, p, p

    def binding(self, image: Source, size: tuple[int, int]) -> Binding:
        """The call of `resizing` for one image, or for the frames of a patch: work to tune and to time."""
        return Binding(self.arguments(self.resizing, image, size), self._shape(size))

    def bind(
        self,
        image: Source,
        size: tuple[int, int],
        rows: npt.NDArray[Any],
        threads: int,
        schedule: Schedule | None = None,
    ) -> Call:
        """A call that computes the rows of one image, or of the frames of a patch; they are C-contiguous.

        `schedule` is one of `resizing`; by default it is the best that is known for the image.
        """
        return self.bind_at(address_of(rows), rows, image, size, threads, schedule)

    def replay(self, image: Memory, size: tuple[int, int], shape: tuple[int, int], threads: int) -> Replay | None:
        """The calls of images like this one, whose rows are arrays of `shape`; see `replay_at`."""
        return self.replay_at(image, size, (size,), self._geometry(size), shape, threads)

    def bind_at(
        self,
        address: int,
        out: npt.NDArray[Any],
        image: Source,
        size: tuple[int, int],
        threads: int,
        schedule: Schedule | None = None,
    ) -> Call:
        """The same of rows that begin at an address in `out`."""
        return self.call_at(address, out, self._geometry(size), image, size, (size,), threads, schedule)
