"""What the algorithms of all families begin with: an image is resized in two passes, and its bytes become values.

A family adds a layout of its output (patches, tiles), size rules and settings. Schedules share how the two passes are
computed: a strip of the output at a time, in the cache.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import numpy as np

from autosched.imaging.byte_table import CHANNELS
from autosched.imaging.coefficients import Arithmetic, Flavour, axis_window
from autosched.imaging.normalize import Constants, normalized
from autosched.imaging.resample import AxisPass, as_byte, axis_pass
from autosched.lang import Expr, Func, Input, Pipeline, Type, cast, f32, u8, variables
from autosched.runtime import Rows
from autosched.runtime.cpu import fingerprint
from autosched.schedule import Schedule
from autosched.schedule.directives import LoadStrategy
from autosched.vlm.preparation import Preparation, Values
from autosched.workload import Bucket, nearest

#: An image, uint8 [H, W, C], or frames of a video, uint8 [T, H, W, C].
Source: TypeAlias = Rows

#: Regions of images, by `stretch`: how many pixels of a source row one output pixel spans. It decides how many taps
#: there are (about 4 up to 1, and 8 up to 2) and how many output pixels share a window of a plane: 16 of them take 64
#: bytes up to 3.9, and 128 up to 8. The limits are the geometric means between neighbours.
BUCKETS = (
    Bucket("native", {"stretch": 1.0}),
    Bucket("slight", {"stretch": 1.5}),
    Bucket("reduced", {"stretch": 2.3}),
    Bucket("quartered", {"stretch": 6.6}),
    Bucket("tiny", {"stretch": 9.7}),
)
#: Output pixels at once, and the window that their source pixels are in.
_WINDOWS: Final[dict[str, tuple[int, LoadStrategy]]] = {
    "native": (16, "permute64"),
    "slight": (16, "permute64"),
    "reduced": (16, "permute64"),
    "quartered": (16, "permute128"),
    "tiny": (8, "permute128"),
}
#: Lines of each of the next rows that are fetched with every vector of these.
_LINES: Final = 4
#: How far ahead of what is read the image is fetched where columns are resized first, in bytes.
_AHEAD: Final = 1 << 14
#: Up to so many taps, which are what images of a bucket need as a rule, it is known when a kernel is compiled how many
#: turns the loop over them takes. Where turns are counted when it runs, what each needs is found anew for every vector.
_KNOWN_TURNS: Final = {"native": 8, "slight": 8, "reduced": 12}


@dataclass(frozen=True)
class Algorithm(ABC):
    """An image to resized and normalised values in a layout; does not depend on sizes.

    Attributes:
        flavour: whose resize and whose normalisation.
        vertical_first: order of the two passes.
        values: how bytes become values.
        dtype: what values, which are f32, are rounded to.
        moving: whether the source is frames [t, y, x, c] that are resized alike.
        arithmetic: what the passes are summed in.
        across, down: whether rows are resized to another length, and columns: a pass that changes nothing is left out.
    """

    flavour: Flavour = "torchvision"
    vertical_first: bool = False
    values: Values = "division"
    dtype: Type = f32
    moving: bool = False
    arithmetic: Arithmetic = "integer"
    across: bool = True
    down: bool = True

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
        """The algorithm: Funcs `planes`, `first`, `resized` [c, y, x] or [c, t, y, x], and those of the layout.

        Where there is one pass, it is `resized`; where there is none, there are `planes` alone.
        """
        return _build(self)[0]

    @property
    def suffix(self) -> str:
        """The part of `name` that says how pixels are made."""
        order = "-vertical-first" if self.vertical_first else ""
        rounded = "" if self.dtype == f32 else f"-{self.dtype}"
        passes = "" if self.across and self.down else f"-{''.join(axis for axis, _ in _passes(self)) or 'no'}-pass"
        sums = "" if self.arithmetic == "integer" else f"-{self.arithmetic}"
        return f"{order}-{self.values}{rounded}{'-moving' if self.moving else ''}{sums}{passes}"


@lru_cache(maxsize=64)
def _build(a: Algorithm) -> tuple[Pipeline, dict[str, AxisPass]]:
    """The pipeline, and its passes by their axes."""
    c, y, x = variables("c y x")
    frame = variables("t") if a.moving else ()
    src = Input("src", u8, len(frame) + 3)

    def resized(source: Func, name: str, axis: str) -> Func:
        passes[axis] = made = axis_pass(axis, src.extent(len(frame) + _AXES[axis]), a.flavour, a.arithmetic)
        if axis == "x":
            value = made.at(x, lambda j: source[c, *frame, y, j])
        else:
            value = made.at(y, lambda j: source[c, *frame, j, x])
        out = Func(name)
        out[c, *frame, y, x] = as_byte(value) if name == "resized" else value
        return out

    last = Func("planes")
    last[c, *frame, y, x] = src[*frame, y, x, c]
    passes: dict[str, AxisPass] = {}
    for axis, name in _passes(a):
        last = resized(last, name, axis)
    return Pipeline(a.layout(last, _value(a)), a.name), passes


#: The dimensions of an image [H, W, C] that passes go along.
_AXES: Final = {"x": 1, "y": 0}


def _passes(a: Algorithm) -> list[tuple[str, str]]:
    """The axis and the Func of each pass, in order."""
    order = ("y", "x") if a.vertical_first else ("x", "y")
    axes = [axis for axis in order if (a.across if axis == "x" else a.down)]
    return list(zip(axes, ("first", "resized")[2 - len(axes) :], strict=True))


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


def rgb(image: Source) -> Source:
    """The first three channels; `Bands` have no others."""
    return image[..., :CHANNELS] if isinstance(image, np.ndarray) else image


def passes_of(preparation: Preparation, height: int, width: int, canvas: Canvas) -> dict[str, bool]:
    """Which passes an image of height x width pixels needs, and in which order: fields of an `Algorithm`."""
    sides = zip(canvas.size, canvas.origin, canvas.shape, strict=True)
    down, across = ((side, 0, side) != found for side, found in zip((height, width), sides, strict=True))
    first = across and down and preparation.vertical_first(height, width, canvas.size)
    return {"across": across, "down": down, "vertical_first": first}


def pass_arguments(algorithm: Algorithm, preparation: Preparation, image: Source, canvas: Canvas) -> dict[str, Any]:
    """What a kernel of `algorithm` is bound to for its source, the output and the layout's own excepted."""
    _, passes = _build(algorithm)
    given: dict[str, Any] = {"src": image}
    sides = image.shape[-3:-1]
    for name, along in passes.items():
        axis = _AXES[name]
        start = canvas.origin[axis]
        window = axis_window(
            sides[axis],
            canvas.size[axis],
            preparation.filter,
            preparation.flavour,
            start,
            start + canvas.shape[axis],
            preparation.arithmetic,
        )
        given |= along.bind(window)
    return given if algorithm.values == "bytes" else given | preparation.constants


@dataclass(frozen=True)
class Strips:
    """How the passes of a strip are computed.

    Attributes:
        columns: a loop within the strip that columns are resized in, where that comes last; "" for the whole strip.
        lanes: pixels at once when columns are resized.
        rows: rows that are resized before the next pixels of a row: they share indices and weights, which are more than
            a first-level cache holds.
        taps: taps in one turn of the loop over those of a row.
        straight: columns that are resized last are so where values are made of them, not before.
        slides: the loop goes down the image, in ranges that threads take: rows that columns are resized from stay for
            the next strip of a range.
    """

    columns: str = ""
    lanes: int = 64
    rows: int = 4
    taps: int = 4
    straight: bool = False
    slides: bool = True


def strips(s: Schedule, a: Algorithm, bucket: Bucket, consumer: str, var: str, how: Strips | None = None) -> Schedule:
    """Adds the passes of the resize to a schedule, computed in loop `var` of `consumer`.

    The reductions of whole numbers are widening dot products of four taps. Bytes of one channel are put next to each
    other before rows are resized: a window then holds three or four times as many pixels.
    """
    how = how or Strips()
    lanes, window = _WINDOWS[bucket.name]
    before, place = "planes", (consumer, var)
    passes = _passes(a)
    for axis, name in passes:
        last = (axis, name) == passes[-1] and axis == "y"
        if how.slides and axis == "y":
            s = s.store_root(before).fold_storage(before, "y")
        if how.straight and last:
            s = _turns(s.inline(name), a, bucket, consumer, axis, 4)
            continue
        s = s.compute_at(name, consumer, (last and how.columns) or var)
        if axis == "x":
            s = s.split(name, "y", "yo", "yi", how.rows).reorder(name, "yo", "x", "yi", "c").unroll(name, "c", CHANNELS)
            s = s.vectorize(name, "x", lanes, "shift_inwards").loads(name, before, window)
            place = (name, "yo") if before == "planes" else place
        else:
            s = s.reorder(name, "y", "c", "x").vectorize(name, "x", how.lanes)
        s = _turns(s, a, bucket, name, axis, how.taps if axis == "x" else 4)
        before = name
    s = s.compute_at("planes", *place)
    s = s.reorder("planes", "y", "x", "c").unroll("planes", "c", CHANNELS)
    s = s.vectorize("planes", "x", 16).loads("planes", "src", "permute64")
    reader, loop = place
    if loop == "yo":
        return s.prefetch_next(reader, "src", "yi", loop, lines=_LINES)
    return s.prefetch("planes", "src", _AHEAD)


def _turns(s: Schedule, a: Algorithm, bucket: Bucket, func: str, axis: str, taps: int) -> Schedule:
    """A reduction of whole numbers is a widening dot product of `taps` a turn, and few turns are written out."""
    if a.arithmetic != "integer":
        return s
    s = s.vectorize(func, f"{axis}k", taps)
    most = _KNOWN_TURNS.get(bucket.name)
    return s.specialize_ranges(func, f"{axis}_taps", taps, most) if most else s


def fetches_lines() -> bool:
    """Whether built-in schedules store whole lines through the caches, which fetch them early, and not past the caches.

    Measured on one CPU of each vendor: on a Zen 4 stores past the caches are faster, on a Cascade Lake slower.
    """
    return fingerprint().vendor == "intel"


def passes_at_root(s: Schedule, a: Algorithm) -> Schedule:
    """Adds the passes of the resize to a schedule, each computed at the root, in parallel rows."""
    for _, name in _passes(a):
        s = s.compute_root(name).reorder(name, "y", "c", "x").parallel(name, "y").vectorize(name, "x", 16)
    return s


def measures(image: Source, size: tuple[int, int]) -> dict[str, float]:
    """What places an image that is resized to `size` in a bucket."""
    return {"stretch": image.shape[-2] / size[1]}


def bucket_of(image: Source, size: tuple[int, int]) -> Bucket:
    """The bucket of an image that is resized to `size`."""
    return _bucket(image.shape[-2], size[1])


@lru_cache(maxsize=1024)
def _bucket(width: int, resized: int) -> Bucket:
    bucket = nearest({"stretch": width / resized}, BUCKETS)
    assert bucket is not None
    return bucket
