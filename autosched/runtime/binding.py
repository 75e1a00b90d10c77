"""Frames: all that a call needs besides addresses, found once for arrays of one geometry and the same tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ctypes import Array as ArgumentWords
from ctypes import addressof, c_byte, c_int64
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from autosched.codegen.build import Built, Draft
from autosched.errors import BindError
from autosched.lang.types import Type
from autosched.lower.demands import BEHIND, CACHE_LINE, Exclusion
from autosched.lower.names import (
    end_name,
    extent_name,
    iterations_name,
    packed_stride_name,
    required_names,
    stored_extent_name,
    stride_name,
    window_name,
)
from autosched.lower.stages import SLACK
from autosched.runtime.packing import fits_planes, packed
from autosched.runtime.pool import empty

Array = np.ndarray[Any, Any]
#: For each stage, the first row of an input, and the one behind the last, that each iteration reads; None for a stage
#: that reads none.
Reads: TypeAlias = list[list[tuple[int, int]] | None]


@dataclass(frozen=True)
class RootMemory:
    """A Func that is stored whole, from a cache line on: the slot of its address, and its bytes."""

    func: str
    slot: int | None
    nbytes: int


class ArrayArgument(NamedTuple):
    """A word of the arguments that says where one of the caller's arrays is: `offset` bytes from its address on."""

    array: str
    slot: int
    offset: int


def address_of(a: Array) -> int:
    """Where an array begins; `ndarray.ctypes` takes twice as long, and many calls are short."""
    if a.size and a.flags.c_contiguous and a.flags.writeable:
        return addressof(c_byte.from_buffer(a.data))
    where: int = a.__array_interface__["data"][0]
    return where


def words(values: Array) -> ArgumentWords[c_int64]:
    """Words of 64 bits as an array of ctypes."""
    return (c_int64 * len(values))(*values.tolist())


def copied(arguments: ArgumentWords[c_int64]) -> ArgumentWords[c_int64]:
    """Another array of the same words."""
    return type(arguments).from_buffer_copy(arguments)


@dataclass(frozen=True)
class Frame:
    """The arguments of a call but for what differs from call to call: where the arrays are.

    `values` has the sizes of the call and what its plan made of them, by name. Arguments are an array of ctypes: to
    copy one and to ask for its address takes a fraction of what numpy needs.
    """

    built: Built
    arguments: ArgumentWords[c_int64]
    values: dict[str, int]
    iterations: tuple[int, ...]
    array_arguments: tuple[ArrayArgument, ...]
    roots: tuple[RootMemory, ...]
    keep: tuple[Any, ...]

    def fill(self, addresses: Mapping[str, int]) -> tuple[ArgumentWords[c_int64], list[Array]]:
        """The arguments for arrays at these addresses, and the memory that is their own."""
        arguments = self._placed(addresses)
        memories: list[Array] = []
        for root in self.roots:
            memory = self._memory(root)
            memories.append(memory)
            if root.slot is not None:
                begin = address_of(memory)
                arguments[root.slot] = begin + (-begin % CACHE_LINE)
        return arguments, memories

    def settled(self, arrays: Mapping[str, Array]) -> Frame:
        """The frame of calls that have these arrays in common."""
        arguments = self._placed({name: address_of(a) for name, a in arrays.items()})
        rest = tuple(argument for argument in self.array_arguments if argument.array not in arrays)
        return replace(self, arguments=arguments, array_arguments=rest, keep=(*self.keep, *arrays.values()))

    def _placed(self, addresses: Mapping[str, int]) -> ArgumentWords[c_int64]:
        """The arguments with these addresses."""
        arguments = copied(self.arguments)
        for array, slot, offset in self.array_arguments:
            if array in addresses:
                arguments[slot] = addresses[array] + offset
        return arguments

    def _memory(self, root: RootMemory) -> Array:
        try:
            return empty((root.nbytes,), np.uint8)
        except (MemoryError, OverflowError, ValueError):
            raise MemoryError(
                f"{self.built.pipeline.name}: no memory for {root.nbytes} bytes of Func {root.func}; "
                "compute it inside a loop"
            ) from None


def sizes_of(arrays: Mapping[str, Array], params: Mapping[str, Any]) -> dict[str, int]:
    """The sizes that plans take, by name: extents and byte strides of arrays, and integer params."""
    sizes: dict[str, int] = {}
    for name, a in arrays.items():
        for dim in range(a.ndim):
            sizes[extent_name(name, dim)] = a.shape[dim]
            sizes[stride_name(name, dim)] = a.strides[dim]
    sizes.update({n: v for n, v in params.items() if isinstance(v, int)})
    return sizes


def plan_call(built: Draft, sizes: dict[str, int], arrays: Mapping[str, Array]) -> dict[str, int]:
    """Regions, iterations and requirements of this call."""
    outline = built.outline
    arguments = sizes | {g.name: _growth(arrays[g.table], g.distance) for g in outline.growths}
    results = built.plan(_reader(built, arrays), *(arguments[name] for name in outline.plan.sizes))
    return dict(zip(outline.plan_outputs, results, strict=True))


def _reader(built: Draft, arrays: Mapping[str, Array]) -> Callable[[str, int], int]:
    """The function by which plans read elements of tables."""

    def table(name: str, index: int) -> int:
        a = arrays[name]
        if not 0 <= index < len(a):
            raise BindError(
                f"{built.pipeline.name} reads table {name} at {index}, which has {len(a)} elements; "
                "a schedule that rounds up computes beyond the extent"
            )
        return int(a[index])

    return table


def rows_read(frame: Frame, arrays: Mapping[str, Array], source: str, height: int, stride: int) -> Reads | None:
    """The rows that iterations read of an input of `height` rows, `stride` bytes apart, and may read behind those.

    None where it cannot be told.
    """
    if not any(frame.iterations):  # an output without elements, for which nothing is planned; rows may be of no bytes
        return [[] for _ in frame.iterations]
    built = frame.built
    behind = -(-BEHIND // stride)
    table = _reader(built, arrays)
    stages: Reads = []
    for stage, iterations in zip(built.outline.stages, frame.iterations, strict=True):
        if source not in stage.reads:
            stages.append(None)
            continue
        printed = stage.reads[source]
        if printed is None:
            return None
        reads = printed.compiled(stage.func)
        values = [frame.values[name] for name in printed.sizes]
        rows = (reads(table, i, *values) for i in range(iterations))
        stages.append([(first, min(last + 1 + behind, height)) for first, last in rows])
    return stages


def _growth(table: Array, distance: int) -> int:
    """The most that a table grows over `distance` elements; 0 where it has none, which what reads it is told."""
    if len(table) <= distance:
        return int(table[-1]) - int(table[0]) if len(table) else 0
    return int((table[distance:].astype(np.int64) - table[: len(table) - distance]).max())


def _length(a: Array) -> int:
    """Bytes from the address of `a` to behind its last byte."""
    length: int = a.itemsize + sum(max((n - 1) * s, 0) for n, s in zip(a.shape, a.strides, strict=True))
    return length


def misfits(built: Draft, plan: Mapping[str, int], arrays: Mapping[str, Array]) -> frozenset[Exclusion]:
    """The features that a kernel for these arrays must do without."""
    unmet = set()
    for i, window in enumerate(built.outline.windows):
        if plan[window_name(i)] > window.width:
            unmet.add(window.excludes)
    for pack in built.outline.packs:
        if pack.group == 4 and not fits_planes(arrays[pack.source], pack.planes):
            unmet.add(Exclusion(pack.source, "planes"))
    return frozenset(unmet)


def check_regions(built: Draft, plan: Mapping[str, int], arrays: Mapping[str, Array]) -> None:
    """Raises BindError where a kernel would read beside an array."""
    for name, ndim in built.outline.required.items():
        for dim in range(ndim):
            lo, hi = (plan[side] for side in required_names(name, dim))
            if lo <= hi and (lo < 0 or hi >= arrays[name].shape[dim]):
                raise BindError(
                    f"{built.pipeline.name} reads {name} at {lo}..{hi} in dimension {dim}, "
                    f"which has {arrays[name].shape[dim]} elements; clamp the index, or bind a larger array"
                )


def make_frame(
    built: Built, plan: dict[str, int], sizes: dict[str, int], arrays: Mapping[str, Array], params: Mapping[str, Any]
) -> Frame:
    """The frame of calls on arrays like these; `arrays` has the output too."""
    outline = built.outline
    values: dict[str, int] = {**sizes, **plan}
    roots = []
    for root in outline.roots:
        step = root.itemsize
        for dim in reversed(root.storage):
            values[stride_name(root.func, dim)] = step
            step *= max(plan[stored_extent_name(root.func, dim)], 1)
        roots.append(RootMemory(root.func, outline.slots.get(root.func), step + SLACK + CACHE_LINE))
    keep = []
    for pack in outline.packs:
        groups = packed(arrays[pack.source], pack, plan[pack.extent])
        keep.append(groups)
        values[pack.name] = groups.ctypes.data
        values.update({packed_stride_name(pack.name, d): s for d, s in enumerate(groups.strides)})
    array_arguments = tuple(
        ArrayArgument(name, outline.slots[word], offset)
        for name, a in arrays.items()
        for word, offset in ((name, 0), (end_name(name), _length(a)))
        if word in outline.slots
    )
    later = {a.slot for a in array_arguments} | {r.slot for r in roots}
    arguments = np.zeros(len(outline.slots) + 1, np.int64)
    for name, slot in outline.slots.items():
        if slot in later:
            continue
        if name in params:
            arguments[slot : slot + 1].view(np.uint8)[:] = _bytes(params[name], built.pipeline.params[name].of)
        else:
            arguments[slot] = values[name]
    iterations = tuple(max(plan[iterations_name(s.func)], 0) for s in outline.stages)
    return Frame(built, words(arguments), values, iterations, array_arguments, tuple(roots), tuple(keep))


def decisive(built: Built) -> frozenset[str]:
    """The inputs whose elements, and not only their shapes, decide what is in a frame."""
    inputs = built.pipeline.inputs
    deciding = {name for name, i in inputs.items() if i.monotone or i.bounds}
    deciding |= {pack.source for pack in built.outline.packs}
    deciding |= {growth.table for growth in built.outline.growths}
    return frozenset(deciding & set(inputs))


def _bytes(value: int | float | bool, elem: Type) -> Array:
    """A param as the eight bytes of its slot."""
    if elem.is_bool:
        elem = Type("u", 8)
    slot = np.zeros(8, np.uint8)
    raw = np.array([value], elem.dtype).view(np.uint8)
    slot[: len(raw)] = raw
    return slot
