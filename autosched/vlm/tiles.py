"""Images to tiles: resize, rescale, normalise and cut, planes of channels in every tile.

One tile is a plane image; an image in a grid of tiles is one call over the resized canvas. Tiles may have any size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.lang import Expr, Func, Param, f32, relayout, variables
from autosched.runtime import Call, Memory, Replay
from autosched.schedule import Schedule
from autosched.vlm.calls import Settings, dense
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
from autosched.vlm.preparation import Preparation, Values
from autosched.workload import Bucket


@dataclass(frozen=True)
class TileAlgorithm(Algorithm):
    """An `Algorithm` whose output `tiles` [ty, tx, c, y, x] is a grid of tiles of Params tile_height x tile_width."""

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return f"tiles-{self.flavour}{self.suffix}"

    def layout(self, resized: Func, value: Callable[[Expr, Expr], Expr]) -> Func:
        """Funcs `normalized` [c, y, x] and `tiles`."""
        ty, tx, c, y, x = variables("ty tx c y x")
        values = Func("normalized")
        values[c, y, x] = value(resized[c, y, x], c)
        height, width = Param("tile_height"), Param("tile_width")
        return relayout(values, "tiles", (ty, tx, c, y, x), (c, ty * height + y, tx * width + x)).bound(c, CHANNELS)

    def default(self, bucket: Bucket) -> Schedule:
        """The built-in schedule."""
        return built_in(self, bucket)


def naive(a: TileAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v1: every stage computed at the root, in parallel, vectorised along x."""
    s = passes_at_root(Schedule(), a).compute_root("normalized").reorder("normalized", "y", "c", "x")
    return _planes_in_parallel(s.parallel("normalized", "y").vectorize("normalized", "x", 16))


def pointwise_fused(a: TileAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v2: as v1, with bytes normalised where tiles are written."""
    return _planes_in_parallel(passes_at_root(Schedule(), a))


def _planes_in_parallel(s: Schedule) -> Schedule:
    s = s.fuse("tiles", "ty", "tx", "tile").fuse("tiles", "tile", "c", "plane")
    return s.parallel("tiles", "plane").vectorize("tiles", "x", 16)


def fused(a: TileAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """v3: both passes one strip of a row of tiles at a time, in the cache, then values straight to the output."""
    return _in_strips(a, bucket, _STRIPS[bucket.name], slides=False)


def sliding(a: TileAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """As v3, but strips are few rows, and rows of the first pass are computed once, whatever strips read them."""
    return _in_strips(a, bucket, _ROWS, slides=True)


def _in_strips(a: TileAlgorithm, bucket: Bucket, rows: int, slides: bool) -> Schedule:
    """Bytes are the output as they come from the second pass."""
    s = Schedule().inline("normalized").split("tiles", "y", "yo", "yi", rows)
    s = s.reorder("tiles", "ty", "yo", "tx", "c", "yi", "x").fuse("tiles", "ty", "yo", "strip")
    s = s.vectorize("tiles", "x", 64 if a.values == "bytes" else 16).parallel("tiles", "strip")
    return strips(s, a, bucket, "tiles", "strip", Strips(straight=a.values == "bytes", slides=slides))


def built_in(a: TileAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """The one of `streamed` and `fetched` that suits this CPU; neither for bytes, which the next resize reads again."""
    if a.values == "bytes":
        return sliding(a, bucket)
    return (fetched if fetches_lines() else streamed)(a, bucket)


def streamed(a: TileAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """Whole lines past the caches."""
    return sliding(a, bucket).stream("tiles")


def fetched(a: TileAlgorithm, bucket: Bucket = BUCKETS[0]) -> Schedule:
    """Whole lines through the caches; while one row is written the lines of the next are fetched."""
    return sliding(a, bucket).prefetch_stores("tiles", "yi")


#: Rows of tiles that are computed at once.
_ROWS: Final = 8
#: The same, by bucket, where strips overlap: the first pass of one and of the next by the taps of a window. Where an
#: image shrinks much, few rows of a tile are many of the image. Tiles of 448, 336 and 224 rows are whole strips.
_STRIPS: Final = {"native": 56, "slight": 56, "reduced": 56, "quartered": 32, "tiny": 16}

#: Schedules by name; each takes the algorithm and a bucket.
NAMED = {"default": built_in, "streamed": streamed, "fetched": fetched, "v1": naive, "v2": pointwise_fused, "v3": fused}


@dataclass(frozen=True)
class TileSettings(Settings):
    """How tiles are made: the settings of pixels, and whether the result is bytes that are resized again."""

    preparation: Preparation
    bytes: bool = False

    def algorithm(self, height: int, width: int, place: Canvas) -> TileAlgorithm:
        """The algorithm for an image of height x width pixels of which `place` is computed."""
        return self._algorithm(**passes_of(self.preparation, height, width, place))

    @property
    def resizing(self) -> TileAlgorithm:
        """The algorithm for images that both passes resize, rows first."""
        return self._algorithm()

    def _algorithm(self, **passes: bool) -> TileAlgorithm:
        p = self.preparation
        values: Values = "bytes" if self.bytes else p.values
        dtype = f32 if self.bytes else p.dtype
        return TileAlgorithm(p.flavour, values=values, dtype=dtype, arithmetic=p.arithmetic, **passes)

    def arguments(self, algorithm: TileAlgorithm, image: Source, *place: Any) -> dict[str, Any]:
        """What the kernel of `algorithm` is bound to for an image, its canvas and the size of tiles, the output
        excepted.
        """
        canvas, tile = place
        given = pass_arguments(algorithm, self.preparation, image, canvas)
        return {**given, "tile_height": tile[0], "tile_width": tile[1]}

    def replay(
        self, image: Memory, canvas: Canvas, tiles: tuple[int, ...], shape: tuple[int, ...], threads: int
    ) -> Replay | None:
        """The calls of images like this one, whose `tiles` [ty, tx, C, y, x] are arrays of `shape`."""
        geometry = dense(self.preparation.dtype.dtype, tiles)
        return self.replay_at(image, canvas.size, (canvas, tiles[3:]), geometry, shape, threads)

    def bind(
        self,
        image: Source,
        canvas: Canvas,
        out: npt.NDArray[Any],
        threads: int,
        schedule: Schedule | None = None,
    ) -> Call:
        """A call that computes `out` [ty, tx, C, y, x].

        `schedule` is one of `resizing`; by default it is the best that is known for the image.
        """
        return self.call(image, canvas.size, (canvas, out.shape[3:]), out, threads, schedule)
