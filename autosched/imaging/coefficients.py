"""Coefficient tables of the antialiased separable resize, and the order of its two passes.

One output pixel of one axis is ``clip8((sum_k src[begin + k] * weight[k] + 2**(p - 1)) >> p)``. This module computes
``begin``, ``weight`` and ``p`` so that the result has the same bits as one of two references:

- ``torchvision``: ATen's native uint8 path (int16 weights, a precision per axis),
- ``pillow``: ``PIL.Image.Image.resize`` (int32 weights, 22 bits of precision).

ATen resizes floats, and torchvision bytes that it makes floats first, with float32 weights and sums instead
(`Arithmetic`); see `float_weights`.

The floating-point operations are written in the order that the references perform them, so that each weight rounds the
same way. ATen's bicubic polynomial uses fused multiply-adds where it runs on AVX2 or AVX-512 and none elsewhere; the
last-bit differences between the two reached no 16-bit weight on the million pairs of sizes that were compared, so one
plain form serves all CPUs. Tables are compiled code (tens of microseconds each) and kept in a bounded cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from autosched.cache import key, versions
from autosched.compiled import source_key, store
from autosched.errors import ArgumentError
from autosched.imaging.float_weights import float_windows

Filter: TypeAlias = Literal["bilinear", "bicubic", "lanczos"]
Flavour: TypeAlias = Literal["torchvision", "pillow"]
#: What windows are summed in: whole numbers, or float32. "fused" is float32 where the last taps of a sum are multiplied
#: and added with one rounding.
Arithmetic: TypeAlias = Literal["integer", "float", "fused"]
Function = TypeVar("Function", bound=Callable[..., Any])

PILLOW_PRECISION: Final = 32 - 8 - 2
"""Bits after the binary point of Pillow's fixed-point weights."""

_MAX_TORCHVISION_PRECISION: Final = 22
_CACHED_TABLES: Final = 512
_LARGEST_SIDE: Final = 1 << 24

_FILTER_CODES: Final[dict[str, int]] = {"bilinear": 1, "bicubic": 2, "lanczos": 3}
"""The code of a filter is its support at scale 1, in source pixels."""

store(__name__, lambda module: key(versions(), source_key(module)))


@dataclass(frozen=True, slots=True, eq=False)
class AxisTable:
    """Source windows and weights that resize one axis.

    ``0 <= begin[i]`` and ``begin[i] + taps <= in_size`` hold for every output ``i`` and ``begin`` never decreases.
    Every window has ``taps`` entries: one that is naturally shorter, or would pass the end of the axis, starts further
    left and its weights are padded with zeros, which leaves each sum as it was.

    Attributes:
        begin: int32 ``[out_size]``, first source index of each window.
        weights: int16 (torchvision) or int32 (pillow) in fixed point, or float32, ``[taps, out_size]``, C-contiguous:
            one tap of neighbouring outputs is contiguous in memory.
        taps: length of every window.
        precision: bits after the binary point of the weights; 0 for float32.
        plain: int32 ``[out_size]``, the taps of each window before those whose product and sum are fused; None where
            none is.
    """

    begin: npt.NDArray[np.int32]
    weights: npt.NDArray[np.int16] | npt.NDArray[np.int32] | npt.NDArray[np.float32]
    taps: int
    precision: int
    plain: npt.NDArray[np.int32] | None = None


def axis_table(
    in_size: int, out_size: int, filter: Filter, flavour: Flavour, arithmetic: Arithmetic = "integer"
) -> AxisTable:
    """Returns the table that resizes an axis of ``in_size`` pixels to ``out_size`` pixels.

    The arrays are read-only and shared between callers. Safe to call from several threads.

    Raises:
        ArgumentError: a size below 1 or above 2**24, an unknown filter, flavour or arithmetic, or floats that ATen does
            not resize: Pillow's flavour, lanczos.
    """
    return _cached_table(int(in_size), int(out_size), filter, flavour, arithmetic)


@lru_cache(maxsize=_CACHED_TABLES)
def axis_window(
    in_size: int,
    out_size: int,
    filter: Filter,
    flavour: Flavour,
    start: int,
    stop: int,
    arithmetic: Arithmetic = "integer",
) -> AxisTable:
    """Returns the table of outputs ``start .. stop - 1`` of `axis_table`, and of zeros for those that it has not.

    Crops the resized axis where the range is smaller, pads it with zeros where it is larger: a window without weights
    gives the byte 0. An axis that does not change has one tap. Read-only, shared and kept like `axis_table`.

    Raises:
        ArgumentError: as `axis_table`, and where the range is empty.
    """
    if stop <= start:
        raise ArgumentError(f"Outputs {start}..{stop - 1} of an axis are none; give at least one.")
    if in_size == out_size:
        table = _identity(in_size, flavour, arithmetic)
    else:
        table = axis_table(in_size, out_size, filter, flavour, arithmetic)
    if (start, stop) == (0, out_size):
        return table
    wanted = np.arange(start, stop)
    inside = (wanted >= 0) & (wanted < out_size)
    nearest = np.clip(wanted, 0, out_size - 1)
    plain = None if table.plain is None else _shared(table.plain[nearest])
    weights = np.zeros((table.taps, stop - start), table.weights.dtype)
    weights[:, inside] = table.weights[:, wanted[inside]]
    return AxisTable(_shared(table.begin[nearest]), _shared(weights), table.taps, table.precision, plain)


@lru_cache(maxsize=_CACHED_TABLES)
def _identity(size: int, flavour: Flavour, arithmetic: Arithmetic) -> AxisTable:
    """The table of an axis that does not change: one tap of weight 1, the same bits as any filter gives."""
    begin = _shared(np.arange(size, dtype=np.int32))
    if arithmetic != "integer":
        plain = _shared(np.ones(size, np.int32)) if arithmetic == "fused" else None
        return AxisTable(begin, _shared(np.ones((1, size), np.float32)), 1, 0, plain)
    precision = _torchvision_precision(1.0) if flavour == "torchvision" else PILLOW_PRECISION
    weights = np.full((1, size), 1 << precision, np.int16 if flavour == "torchvision" else np.int32)
    return AxisTable(begin, _shared(weights), 1, precision)


def _shared(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array


def clear_axis_tables() -> None:
    """Empties the caches of tables, for measurements of the cold cost."""
    for cached in (_cached_table, axis_window, _identity):
        cached.cache_clear()


def vertical_first(in_height: int, in_width: int, out_height: int, out_width: int) -> bool:
    """Whether the running Pillow resizes the vertical axis before the horizontal one.

    Up to Pillow 12 the horizontal pass always comes first. Since Pillow 13 the vertical pass comes first where it
    shrinks the image more than twice as much (in pixels). The order shows in the result because each pass rounds to
    uint8.
    """
    if pillow_major() < 13:
        return False
    shrink_height = in_height - out_height
    shrink_width = in_width - out_width
    return shrink_height > 0 and shrink_height > 2 * shrink_width


@cache
def pillow_major() -> int:
    """Major version of the installed Pillow."""
    import PIL

    return int(PIL.__version__.split(".", 1)[0])


@lru_cache(maxsize=_CACHED_TABLES)
def _cached_table(in_size: int, out_size: int, filter: Filter, flavour: Flavour, arithmetic: Arithmetic) -> AxisTable:
    for name, size in (("in_size", in_size), ("out_size", out_size)):
        if not 1 <= size <= _LARGEST_SIDE:
            raise ArgumentError(f"{name} is {size}; a side must have 1 to {_LARGEST_SIDE} pixels.")
    if filter not in _FILTER_CODES:
        raise ArgumentError(f"Unknown filter {filter!r}; choose one of {', '.join(_FILTER_CODES)}.")
    if flavour not in ("torchvision", "pillow"):
        raise ArgumentError(f"Unknown flavour {flavour!r}; choose torchvision or pillow.")
    if arithmetic != "integer":
        return _float_table(in_size, out_size, filter, flavour, arithmetic)

    begin, lengths, weights, largest = _called(_windows, in_size, out_size, _FILTER_CODES[filter])
    taps = weights.shape[1]
    if flavour == "torchvision":
        precision = _torchvision_precision(largest)
        fixed = np.zeros((taps, out_size), dtype=np.int16)
    else:
        precision = PILLOW_PRECISION
        fixed = np.zeros((taps, out_size), dtype=np.int32)
    _called(_quantize, in_size, begin, lengths, weights, float(1 << precision), fixed)
    return AxisTable(_shared(begin), _shared(fixed), taps, precision)


def _float_table(
    in_size: int, out_size: int, filter: Filter, flavour: Flavour, arithmetic: Literal["float", "fused"]
) -> AxisTable:
    if arithmetic not in ("float", "fused"):
        raise ArgumentError(f"Unknown arithmetic {arithmetic!r}; choose integer, float or fused.")
    support = _FILTER_CODES[filter]
    if flavour != "torchvision" or filter == "lanczos":
        raise ArgumentError(f"Floats are not resized with {filter} by {flavour}; choose another filter, or integer.")
    natural, weights, plain = float_windows(in_size, out_size, support, arithmetic == "fused")
    taps = len(weights)
    begin = np.minimum(natural, in_size - taps).astype(np.int32)
    moved = natural - begin
    tap = np.arange(taps, dtype=np.int32)[:, None] - moved
    weights = np.where(tap >= 0, np.take_along_axis(weights, np.maximum(tap, 0), 0), np.float32(0))
    before = _shared(plain + moved) if arithmetic == "fused" else None
    return AxisTable(_shared(begin), _shared(weights), taps, 0, before)


def _torchvision_precision(largest: float) -> int:
    """The largest precision, counted up from 0, whose successor would push the largest weight past int16."""
    precision = 0
    while precision < _MAX_TORCHVISION_PRECISION:
        if int(0.5 + largest * (1 << (precision + 1))) >= 1 << 15:
            break
        precision += 1
    return precision


def _compiled(function: Function) -> Function:
    """Compiles with numba, or finds what was compiled before in the cache."""
    return cast("Function", njit(cache=True, error_model="numpy", nogil=True)(function))


#: Functions and the types of arguments that they were called with.
_ready: set[tuple[Any, ...]] = set()


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of `_compiled` gives, which its first call with such arguments compiles, or loads."""
    kind = (function, *(getattr(argument, "dtype", type(argument)) for argument in arguments))
    if kind in _ready:
        return function(*arguments)
    from autosched.codegen.build import compiling  # a handler of a signal could not compile in the middle of it

    with compiling():
        made = function(*arguments)
    _ready.add(kind)
    return made


@_compiled
def _filter_value(code: int, x: float) -> float:
    """The filter ``code`` at ``x``, in source pixels divided by the shrink factor."""
    if code == 3:
        if not -3.0 <= x < 3.0:
            return 0.0
        if x == 0.0:
            return 1.0
        a = x * math.pi
        b = (x / 3.0) * math.pi
        return (math.sin(a) / a) * (math.sin(b) / b)
    x = abs(x)
    if code == 1:
        return 1.0 - x if x < 1.0 else 0.0
    if x < 1.0:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2.0:
        return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return 0.0


@_compiled
def _windows(
    in_size: int, out_size: int, code: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float64], float]:
    """Natural windows of an axis and their normalised weights.

    Returns begin int32 ``[out]``, length int32 ``[out]``, weights float64 ``[out, taps]`` of which only the first
    ``length`` of a row are set, and the largest weight.
    """
    scale = in_size / out_size
    stretch = max(scale, 1.0)
    support = code * stretch
    inverse = 1.0 / stretch
    begin = np.empty(out_size, np.int32)
    lengths = np.empty(out_size, np.int32)
    taps = 1
    for i in range(out_size):
        center = scale * (i + 0.5)
        first = max(int(center - support + 0.5), 0)
        last = min(int(center + support + 0.5), in_size)
        begin[i] = first
        lengths[i] = last - first
        taps = max(taps, last - first)

    weights = np.empty((out_size, taps), np.float64)
    largest = 0.0
    for i in range(out_size):
        center = scale * (i + 0.5)
        first = begin[i]
        total = 0.0
        for k in range(lengths[i]):
            weight = _filter_value(code, (k + first - center + 0.5) * inverse)
            weights[i, k] = weight
            total += weight
        if total != 0.0:
            for k in range(lengths[i]):
                weights[i, k] /= total
                largest = max(largest, weights[i, k])
    return begin, lengths, weights, largest


@_compiled
def _quantize(
    in_size: int,
    begin: npt.NDArray[np.int32],
    lengths: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
    one: float,
    fixed: npt.NDArray[np.int16] | npt.NDArray[np.int32],
) -> None:
    """Rounds weights half away from zero into ``fixed[taps, out]`` and moves windows inside the axis."""
    taps = fixed.shape[0]
    for i in range(begin.shape[0]):
        moved = min(begin[i], in_size - taps)
        shift = begin[i] - moved
        begin[i] = moved
        for k in range(lengths[i]):
            value = weights[i, k] * one
            fixed[k + shift, i] = int(value - 0.5) if value < 0.0 else int(value + 0.5)
