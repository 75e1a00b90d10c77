"""Kernel: a compiled pipeline. Binds arrays of any strides, checks them, and runs its ranges on threads."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autosched.codegen.build import Built, build, target
from autosched.codegen.printer import NO_MEMORY
from autosched.errors import BindError, ScheduleError
from autosched.lang.func import Pipeline
from autosched.lang.types import Type
from autosched.lower.demands import end_name
from autosched.lower.lower import Layout
from autosched.lower.stages import SLACK
from autosched.lower.translate import extent_name
from autosched.runtime.packing import fits_planes, packed
from autosched.runtime.threads import RANGES_PER_THREAD, default_threads, run_tasks
from autosched.schedule.schedule import Schedule

Array = np.ndarray[Any, Any]

#: Elements up to which a byte stride is compiled into the kernel: pixels next to each other, channels in a pixel.
CONSTANT_STRIDE = 4


@dataclass(frozen=True)
class Call:
    """A kernel bound to arrays: ready to run, as often as wanted."""

    built: Built
    arguments: Array
    iterations: tuple[int, ...]
    out: Array
    keep: tuple[Any, ...]  # what the addresses in `arguments` point into

    @property
    def stages(self) -> int:
        return len(self.iterations)

    def run_range(self, stage: int, first: int, last: int) -> None:
        """Iterations first..last-1 of the outermost loop of a stage."""
        status = self.built.stages[stage](self.arguments, first, last)
        if status == NO_MEMORY:
            func = self.built.lowered.stages[stage].func
            raise MemoryError(
                f"{self.built.lowered.pipeline.name}: no memory for what is stored inside the loops of Func {func}; "
                "compute it further in, fold its storage, or use smaller tiles"
            )
        if status:
            raise ScheduleError(self.built.lowered.nests.statuses[status - 1])

    def run(self, threads: int | None = None) -> Array:
        """Compute the output; returns it."""
        run_calls([self], threads)
        return self.out


def run_calls(calls: Sequence[Call], threads: int | None = None) -> None:
    """Run bound calls as one list of ranges, on at most `threads` threads (default: `default_threads()`)."""
    workers = default_threads() if threads is None else threads
    if workers < 1:
        raise BindError(f"threads is {threads}; it must be at least 1")
    for stage in range(max((c.stages for c in calls), default=0)):
        here = [c for c in calls if stage < c.stages and c.iterations[stage] > 0]
        total = sum(c.iterations[stage] for c in here if c.built.lowered.stages[stage].parallel)
        size = max(1, -(-total // (workers * RANGES_PER_THREAD))) if workers > 1 else total
        tasks = []
        for call in here:
            n = call.iterations[stage]
            step = size if call.built.lowered.stages[stage].parallel else n
            tasks += [
                partial(call.run_range, stage, first, min(first + step, n)) for first in range(0, n, max(step, 1))
            ]
        run_tasks(tasks, workers)


class Kernel:
    """A pipeline compiled under a schedule.

    Kernels for the strides that arrays have are compiled when first met, and kept. Safe to call from many threads.
    """

    def __init__(self, pipeline: Pipeline, schedule: Schedule | None = None) -> None:
        self.pipeline = pipeline
        self.schedule = schedule or Schedule()
        self.schedule.check(pipeline)
        self._special: dict[str, set[int]] = {}
        for items in self.schedule.funcs.values():
            for x in items:
                if x.op == "specialize":
                    self._special.setdefault(x.param, set()).add(x.value)  # type: ignore[attr-defined]
        self._variants: dict[Any, Built] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Kernel({self.pipeline.name!r}, {len(self._variants)} variants compiled)"

    def __call__(
        self,
        *,
        out: Array | None = None,
        shape: tuple[int, ...] | None = None,
        threads: int | None = None,
        **given: Any,
    ) -> Array:
        """Compute the output from inputs and params by name, into `out` or a new array of `shape`."""
        return self.bind(out=out, shape=shape, **given).run(threads)

    def bind(self, *, out: Array | None = None, shape: tuple[int, ...] | None = None, **given: Any) -> Call:
        """Check arrays and params and prepare a call. Raises BindError, which says what does not fit."""
        output = self.pipeline.output
        if (out is None) == (shape is None):
            raise BindError(f"{self.pipeline.name}: give either out, an array, or shape, the extents of a new one")
        if out is None:
            assert shape is not None
            out = np.empty(shape, output.type.dtype)
        self._check_names(given)
        arrays = {name: _array(name, given[name], i.type, i.ndim) for name, i in self.pipeline.inputs.items()}
        _array(output.name, out, output.type, output.ndim)
        if not out.flags.writeable:
            raise BindError(f"out, the array of {output.name}, is read-only")
        for dim, arg in enumerate(output.args):
            promised = output.bounds.get(arg.name)
            if promised is not None and out.shape[dim] != promised:
                raise BindError(
                    f"out has extent {out.shape[dim]} in dimension {dim} ({arg.name}); "
                    f"{output.name} is bound to {promised}"
                )
        params = {name: _param(name, given[name], p.of) for name, p in self.pipeline.params.items()}
        constants = {k: int(params[k]) for k, values in self._special.items() if params[k] in values}
        strides = {name: _constant_strides(a) for name, a in arrays.items()}
        strides[output.name] = _output_strides(out, [output.bounds.get(a.name) for a in output.args])
        sizes = _sizes({**arrays, output.name: out}, params)
        excluded: frozenset[str] = frozenset()
        while True:
            built = self._variant(strides, constants, excluded)
            if out.size == 0:
                return Call(built, np.empty(0, np.int64), (0,) * len(built.stages), out, ())
            plan = _plan(built, sizes, arrays)
            misfits = _misfits(built, plan, arrays)
            if not misfits:
                break
            excluded |= misfits
        self._check_tables(plan, arrays)
        _check_regions(built, plan, arrays)
        return _call(built, plan, sizes, arrays, params, out)

    def _check_names(self, given: Mapping[str, Any]) -> None:
        wanted = [*self.pipeline.inputs, *self.pipeline.params]
        missing = [n for n in wanted if n not in given]
        extra = [n for n in given if n not in wanted]
        if missing or extra:
            what = [f"missing {', '.join(missing)}"] if missing else []
            what += [f"unknown {', '.join(extra)}"] if extra else []
            raise BindError(f"{self.pipeline.name}: {'; '.join(what)}; it takes {', '.join(wanted) or 'nothing'}")

    def _check_tables(self, plan: Mapping[str, int], arrays: Mapping[str, Array]) -> None:
        for name, table in self.pipeline.inputs.items():
            a = arrays[name]
            if not a.size or not (table.monotone or table.bounds):
                continue
            if table.monotone and a.size > 1 and bool((a[1:] < a[:-1]).any()):
                at = int(np.argmax(a[1:] < a[:-1]))
                raise BindError(f"table {name} is declared monotone, but element {at + 1} is less than element {at}")
            if table.bounds:
                lo, hi = plan[f"{name}:least"], plan[f"{name}:most"]
                least, most = (int(a[0]), int(a[-1])) if table.monotone else (int(a.min()), int(a.max()))
                if least < lo or most > hi:
                    raise BindError(f"table {name} is declared to hold {lo}..{hi}, but it holds {least}..{most}")

    def _variant(
        self, strides: dict[str, dict[int, int]], constants: dict[str, int], excluded: frozenset[str]
    ) -> Built:
        key = (
            tuple((n, tuple(s.items())) for n, s in strides.items()),
            tuple(sorted(constants.items())),
            excluded,
        )
        found = self._variants.get(key)
        if found is None:
            with self._lock:
                found = self._variants.get(key)
                if found is None:
                    found = build(self.pipeline, self.schedule, Layout(strides, constants, target(excluded)))
                    self._variants[key] = found
        return found


def _array(name: str, value: Any, elem: Type, ndim: int) -> Array:
    if not isinstance(value, np.ndarray):
        raise BindError(f"{name} must be a numpy array, not {type(value).__name__}")
    if value.dtype != elem.dtype:
        raise BindError(f"{name} has dtype {value.dtype}, expected {elem.dtype}")
    if value.ndim != ndim:
        raise BindError(f"{name} has {value.ndim} dimensions {value.shape}, expected {ndim}")
    return value


def _param(name: str, value: Any, elem: Type) -> int | float | bool:
    if isinstance(value, np.generic):
        value = value.item()
    if elem.is_float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if elem.is_bool and isinstance(value, bool):
        return value
    if elem.is_int and isinstance(value, int) and not isinstance(value, bool):
        if elem.min <= value <= elem.max:
            return value
        raise BindError(f"param {name} is {value}, which does not fit {elem}")
    raise BindError(f"param {name} is {value!r}, expected {elem}")


def _constant_strides(a: Array) -> dict[int, int]:
    return {d: s for d, s in enumerate(a.strides) if 0 < s <= CONSTANT_STRIDE * a.itemsize}


def _output_strides(a: Array, bounds: Sequence[int | None]) -> dict[int, int]:
    """The strides that follow from promised extents, where the array is dense in those."""
    out = {d: s for d, s in enumerate(a.strides) if s == a.itemsize}
    dense: int | None = a.itemsize
    for dim in reversed(range(a.ndim)):
        if dense is None or a.strides[dim] != dense:
            break
        out[dim] = dense
        promised = bounds[dim]
        dense = dense * promised if promised is not None else None
    return out


def _sizes(arrays: Mapping[str, Array], params: Mapping[str, Any]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, a in arrays.items():
        for dim in range(a.ndim):
            sizes[extent_name(name, dim)] = a.shape[dim]
            sizes[f"{name}:s{dim}"] = a.strides[dim]
    sizes.update({n: v for n, v in params.items() if isinstance(v, int)})
    return sizes


def _plan(built: Built, sizes: dict[str, int], arrays: Mapping[str, Array]) -> dict[str, int]:
    """Regions, iterations and requirements of this call."""

    def table(name: str, index: int) -> int:
        a = arrays[name]
        if not 0 <= index < len(a):
            raise BindError(
                f"{built.lowered.pipeline.name} reads table {name} at {index}, which has {len(a)} elements; "
                "a schedule that rounds up computes beyond the extent"
            )
        return int(a[index])

    values = []
    for name in built.plan_inputs:
        if name in sizes:
            values.append(sizes[name])
        else:
            source, _, distance = name.rpartition(":step")
            values.append(_step(arrays[source], int(distance)))
    return dict(zip(built.plan_outputs, built.plan(table, *values), strict=True))


def _step(table: Array, distance: int) -> int:
    """The most that a table grows over `distance` elements."""
    if len(table) <= distance:
        return int(table[-1]) - int(table[0])
    return int((table[distance:].astype(np.int64) - table[: len(table) - distance]).max())


def _span(a: Array) -> tuple[int, int]:
    """The addresses of the first byte of `a`, and of the one behind its last."""
    base = a.ctypes.data
    lo = base + sum(min((n - 1) * s, 0) for n, s in zip(a.shape, a.strides, strict=True))
    hi = base + sum(max((n - 1) * s, 0) for n, s in zip(a.shape, a.strides, strict=True)) + a.itemsize
    return lo, hi


def _misfits(built: Built, plan: Mapping[str, int], arrays: Mapping[str, Array]) -> frozenset[str]:
    """The sources whose windows are too large for permutes, and the tables whose values do not fit their bytes."""
    found = set()
    for i, window in enumerate(built.lowered.windows):
        if plan[f".window{i}"] > window.width:
            found.add(window.source)
    for pack in built.lowered.packs:
        if pack.group == 4 and not fits_planes(arrays[pack.source], pack.planes):
            found.add(pack.source)
    return frozenset(found)


def _check_regions(built: Built, plan: Mapping[str, int], arrays: Mapping[str, Array]) -> None:
    for name, box in built.lowered.nests.required.items():
        for dim in range(len(box)):
            lo, hi = plan[f"{name}:need{dim}_lo"], plan[f"{name}:need{dim}_hi"]
            if lo <= hi and (lo < 0 or hi >= arrays[name].shape[dim]):
                raise BindError(
                    f"{built.lowered.pipeline.name} reads {name} at {lo}..{hi} in dimension {dim}, "
                    f"which has {arrays[name].shape[dim]} elements; clamp the index, or bind a larger array"
                )


def _call(
    built: Built, plan: dict[str, int], sizes: dict[str, int], arrays: Mapping[str, Array], params: Mapping[str, Any],
    out: Array,
) -> Call:  # fmt: skip
    values: dict[str, int] = {**sizes, **plan}
    keep: list[Any] = [out, *arrays.values()]
    for name, a in {**arrays, built.lowered.pipeline.output.name: out}.items():
        values[name] = a.ctypes.data
        values[end_name(name)] = _span(a)[1]
    for root in built.lowered.nests.roots:
        step = root.elem.bytes
        for dim in reversed(root.storage):
            values[f"{root.name}:s{dim}"] = step
            step *= max(plan[f"{root.name}:extent{dim}"], 1)
        try:
            memory = np.empty(step + SLACK + 64, np.uint8)
        except (MemoryError, OverflowError, ValueError):
            raise MemoryError(
                f"{built.lowered.pipeline.name}: no memory for {step} bytes of Func {root.name}; "
                "compute it inside a loop"
            ) from None
        keep.append(memory)
        values[root.name] = memory.ctypes.data + (-memory.ctypes.data % 64)
    for pack in built.lowered.packs:
        groups = packed(arrays[pack.source], pack)
        keep.append(groups)
        values[pack.name] = groups.ctypes.data
        values.update({f"{pack.name}_s{d}": s for d, s in enumerate(groups.strides)})
    arguments = np.zeros(len(built.slots) + 1, np.int64)
    for name, slot in built.slots.items():
        if name in params:
            arguments[slot : slot + 1].view(np.uint8)[:] = _bytes(params[name], built.lowered.pipeline.params[name].of)
        else:
            arguments[slot] = values[name]
    iterations = tuple(max(plan[f"{s.func}:iterations"], 0) for s in built.lowered.stages)
    return Call(built, arguments, iterations, out, tuple(keep))


def _bytes(value: int | float | bool, elem: Type) -> Array:
    """A param as the eight bytes of its slot."""
    if elem.is_bool:
        elem = Type("u", 8)
    made = np.zeros(8, np.uint8)
    raw = np.array([value], elem.dtype).view(np.uint8)
    made[: len(raw)] = raw
    return made
