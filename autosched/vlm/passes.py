"""What the algorithms of all families begin with: an image is resized in two passes, and its bytes become values.

A family adds a layout of its output (patches, tiles), size rules and settings. Schedules share how the two passes are
computed: a strip of the output at a time, in the cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.imaging.coefficients import Flavour, axis_window
from autosched.imaging.normalize import Constants, normalized
from autosched.imaging.resample import AxisPass, axis_pass
from autosched.lang import Expr, Func, Input, Pipeline, Type, cast, f32, u8, variables
from autosched.runtime import Bands, Call, Kernel, bind_bands
from autosched.schedule import Schedule
from autosched.schedule.directives import LoadStrategy
from autosched.vlm.lookup import tuned_schedule
from autosched.vlm.preparation import Preparation, Values
from autosched.workload import Bucket, nearest

#: An image, uint8 [H, W, C], or frames of a video, uint8 [T, H, W, C].
Source: TypeAlias = npt.NDArray[np.uint8] | Bands

#: Regions of images, by `stretch`: how many pixels of a source row one output pixel spans. It decides how many output
#: pixels share a window of a plane: 16 of them take 64 bytes up to 3.9, and 128 up to 8. The limits are the geometric
#: means between neighbours.
BUCKETS = (
    Bucket("native", {"stretch": 1.0}),
    Bucket("reduced", {"stretch": 2.3}),
    Bucket("quartered", {"stretch": 6.6}),
    Bucket("tiny", {"stretch": 9.7}),
)
#: Output pixels at once, and the window that their source pixels are in.
_WINDOWS: Final[dict[str, tuple[int, LoadStrategy]]] = {
    "native": (16, "permute64"),
    "reduced": (16, "permute64"),
    "quartered": (16, "permute128"),
    "tiny": (8, "permute128"),
}
#: Rows of a pass that are computed before the next 16 pixels of a row: they share indices and weights, which are more
#: than a first-level cache holds.
_ROWS: Final = 4
#: How far ahead of what is read the image is fetched, in bytes: about a row, so that memory is read while the rows
#: before are resized.
_AHEAD: Final = 1 << 14


@dataclass(frozen=True)
class Algorithm(ABC):
    """An image to resized and normalised values in a layout; does not depend on sizes.

    Attributes:
        flavour: whose resize and whose normalisation.
        vertical_first: order of the two passes.
        values: how bytes become values.
        dtype: what values, which are f32, are rounded to.
        moving: whether the source is frames [t, y, x, c] that are resized alike.
    """

    flavour: Flavour = "torchvision"
    vertical_first: bool = False
    values: Values = "division"
    dtype: Type = f32
    moving: bool = False

    @property
    @abstractmethod
    def name(self) -> str:
        """The pipeline's name, which files of records are called after."""

    @abstractmethod
    def layout(self, resized: Func, value: Callable[[Expr, Expr], Expr]) -> Func:
        """The output Func of bytes [c, y, x], or [c, t, y, x]: `value` of a byte and its channel, in some order."""

    @abstractmethod
    def default(self, bucket: Bucket) -> Schedule:
        """The built-in schedule."""

    def pipeline(self) -> Pipeline:
        """The algorithm: Funcs `planes`, `first`, `resized` [c, y, x] or [c, t, y, x], and those of the layout."""
        return _build(self)[0]

    @property
    def suffix(self) -> str:
        """The part of `name` that says how pixels are made."""
        order = "-vertical-first" if self.vertical_first else ""
        rounded = "" if self.dtype == f32 else f"-{self.dtype}"
        return f"{order}-{self.values}{rounded}{'-moving' if self.moving else ''}"


@lru_cache(maxsize=64)
def _build(a: Algorithm) -> tuple[Pipeline, AxisPass, AxisPass]:
    c, y, x = variables("c y x")
    frame = variables("t") if a.moving else ()
    src = Input("src", u8, len(frame) + 3)
    horizontal = axis_pass("x", src.extent(len(frame) + 1), a.flavour)
    vertical = axis_pass("y", src.extent(len(frame)), a.flavour)
    planes, first, resized = Func("planes"), Func("first"), Func("resized")
    planes[c, *frame, y, x] = src[*frame, y, x, c]
    if a.vertical_first:
        first[c, *frame, y, x] = vertical.at(y, lambda j: planes[c, *frame, j, x])
        resized[c, *frame, y, x] = horizontal.at(x, lambda j: first[c, *frame, y, j])
    else:
        first[c, *frame, y, x] = horizontal.at(x, lambda j: planes[c, *frame, y, j])
        resized[c, *frame, y, x] = vertical.at(y, lambda j: first[c, *frame, j, x])
    return Pipeline(a.layout(resized, _value(a)), a.name), horizontal, vertical


def _value(a: Algorithm) -> Callable[[Expr, Expr], Expr]:
    """What becomes of a byte of a channel."""
    if a.values == "bytes":
        return lambda byte, channel: byte
    if a.values == "table":
        table = Input("values", f32, 2)
        return lambda byte, channel: cast(a.dtype, table[channel, byte])
    form, inputs = a.values, Constants()
    return lambda byte, channel: cast(a.dtype, normalized(byte, channel, inputs, a.flavour, form))


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


def pass_arguments(algorithm: Algorithm, preparation: Preparation, image: Source, canvas: Canvas) -> dict[str, Any]:
    """What a kernel of `algorithm` is bound to for its source, the output and the layout's own excepted."""
    _, *passes = _build(algorithm)
    given: dict[str, Any] = {"src": image}
    sides = image.shape[-3:-1]
    for axis, along in ((1, passes[0]), (0, passes[1])):
        start = canvas.origin[axis]
        window = axis_window(
            sides[axis],
            canvas.size[axis],
            preparation.filter,
            preparation.flavour,
            start,
            start + canvas.shape[axis],
        )
        given |= along.bind(window)
    return given if algorithm.values == "bytes" else given | preparation.constants


def bind_rows(kernel: Kernel, given: Mapping[str, Any], out: npt.NDArray[Any], loop: str, rows: int) -> Call:
    """Binds `kernel` to what `pass_arguments` gives for an image in bands.

    Iteration i of the output's coordinate `loop` is for rows i * rows and so on of the resized image.
    """
    begin, taps = given["y_begin"], given["y_taps"]

    def needed(first: int, last: int) -> tuple[int, int]:
        return int(begin[first * rows]), int(begin[min(last * rows, len(begin)) - 1]) + taps

    rest = {name: value for name, value in given.items() if name != "src"}
    return bind_bands(kernel, "src", given["src"], loop, needed, out=out, **rest)


def strips(s: Schedule, a: Algorithm, bucket: Bucket, consumer: str, var: str) -> Schedule:
    """Adds both passes of the resize to a schedule, computed in loop `var` of `consumer`.

    The reductions are widening dot products of four taps. Bytes of one channel are put next to each other before rows
    are resized: a window then holds three or four times as many pixels.
    """
    across, down = ("resized", "first") if a.vertical_first else ("first", "resized")
    s = s.compute_at("first", consumer, var).compute_at("resized", consumer, var)
    lanes, window = _WINDOWS[bucket.name]
    s = s.split(across, "y", "yo", "yi", _ROWS).reorder(across, "yo", "x", "yi", "c").unroll(across, "c", CHANNELS)
    s = s.vectorize(across, "x", lanes, "shift_inwards").vectorize(across, "xk", 4)
    s = s.loads(across, "first" if a.vertical_first else "planes", window)
    s = s.reorder(down, "y", "c", "x").vectorize(down, "x", 64).vectorize(down, "yk", 4)
    s = s.compute_at("planes", consumer, var) if a.vertical_first else s.compute_at("planes", "first", "yo")
    s = s.reorder("planes", "y", "x", "c").unroll("planes", "c", CHANNELS)
    s = s.vectorize("planes", "x", 16).loads("planes", "src", "permute64")
    return s.prefetch("planes", "src", _AHEAD)


def passes_at_root(s: Schedule) -> Schedule:
    """Adds both passes of the resize to a schedule, each computed at the root, in parallel rows."""
    for name in ("first", "resized"):
        s = s.compute_root(name).reorder(name, "y", "c", "x").parallel(name, "y").vectorize(name, "x", 16)
    return s


def measures(image: Source, size: tuple[int, int]) -> dict[str, float]:
    """What places an image that is resized to `size` in a bucket."""
    return {"stretch": image.shape[-2] / size[1]}


@lru_cache(maxsize=256)
def kernel(algorithm: Algorithm, schedule: Schedule) -> Kernel:
    """The compiled pipeline; kept, because building it anew costs more than running it."""
    return Kernel(algorithm.pipeline(), schedule)


def best_schedule(algorithm: Algorithm, image: Source, size: tuple[int, int], threads: int) -> Schedule:
    """The schedule tuned on this machine for an image like this, or the built-in default."""
    return _best(algorithm, _bucket(image.shape[-2], size[1]), threads)


@lru_cache(maxsize=1024)
def _bucket(width: int, resized: int) -> str:
    bucket = nearest({"stretch": width / resized}, BUCKETS)
    assert bucket is not None
    return bucket.name


@lru_cache(maxsize=256)
def _best(algorithm: Algorithm, bucket: str, threads: int) -> Schedule:
    """Looked up once a process."""
    chosen = next(b for b in BUCKETS if b.name == bucket)
    return tuned_schedule(algorithm.pipeline(), chosen, threads) or algorithm.default(chosen)
