"""Tables packed into groups for widening dot products; see `lower.dots`."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from autosched.lower.demands import CACHE_LINE, PackedTable

Array = np.ndarray[Any, Any]

_kept: dict[tuple[int, Any], tuple[weakref.ref[Array], Any]] = {}


def constant(table: Array) -> bool:
    """Whether nobody can change the elements through numpy: neither the array nor what it is a view of is writeable.

    What is not numpy's memory, nor that of `bytes`, may be changed by its owner.
    """
    base = table
    while isinstance(base.base, np.ndarray):
        base = base.base
    owned = base.base is None or isinstance(base.base, bytes)
    return owned and not (table.flags.writeable or base.flags.writeable)


def _memo(table: Array, key: Any, make: Callable[[], Any]) -> Any:
    """`make()`, kept as long as `table` lives where nobody can change it."""
    if not constant(table):
        return make()
    place = (id(table), key)
    found = _kept.get(place)
    if found is not None and found[0]() is table:
        return found[1]
    value = make()
    _kept[place] = (weakref.ref(table, lambda _: _kept.pop(place, None)), value)
    return value


def fits_planes(table: Array, planes: int) -> bool:
    """Whether every value is a sum of `planes` signed bytes times 1, 256, 65536; modulo 2^32, four hold any."""
    if planes == 4:
        return True

    def check() -> bool:
        most = sum(127 << (8 * p) for p in range(planes))
        least = sum(-128 << (8 * p) for p in range(planes))
        return not table.size or (int(table.max()) <= most and int(table.min()) >= least)

    return bool(_memo(table, ("fits", planes), check))


def packed(table: Array, pack: PackedTable, extent: int) -> Array:
    """int32 groups of `extent` elements of `table` along `pack.dim`, then zeros; C-contiguous, the rest as it is."""
    count = min(max(extent, 0), table.shape[pack.dim])
    key = pack.dim, pack.group, pack.plane, pack.planes, pack.multiple, count
    made: Array = _memo(table, key, lambda: _pack(table, pack, count))
    return made


def _pack(table: Array, pack: PackedTable, count: int) -> Array:
    length = max(-(-count // pack.multiple), 1) * pack.multiple
    values = np.moveaxis(table, pack.dim, -1)[..., :count]
    if pack.group == 4:
        rest = values.astype(np.int64)
        for _ in range(pack.plane):
            rest = (rest - _signed_byte(rest)) >> 8
        values = _signed_byte(rest)
    element = np.dtype(np.int16 if pack.group == 2 else np.int8)
    padded = np.zeros((*values.shape[:-1], length), element)
    padded[..., :count] = values
    return _in_lines(np.moveaxis(padded.view(np.int32), -1, pack.dim))


def _in_lines(values: Array) -> Array:
    """A copy whose rows (the last dimension) begin at cache lines, as do then vectors at multiples of their lanes."""
    per_line = CACHE_LINE // values.itemsize
    row = -(-values.shape[-1] // per_line) * per_line
    memory = np.zeros(int(np.prod(values.shape[:-1], dtype=np.int64)) * row + per_line, values.dtype)
    first = -memory.ctypes.data % CACHE_LINE // values.itemsize
    made: Array = memory[first : len(memory) - per_line + first].reshape(*values.shape[:-1], row)[
        ..., : values.shape[-1]
    ]
    made[...] = values
    return made


def _signed_byte(values: Array) -> Array:
    """The low byte of each value, read as signed."""
    return ((values + 128) & 255) - 128
