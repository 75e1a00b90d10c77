"""Kernel: a compiled pipeline. Binds arrays of any strides, checks them, and runs its ranges on threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from ctypes import Array as ArgumentWords
from ctypes import addressof, c_int64
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from types import NoneType
from typing import Any, ClassVar, NoReturn
from weakref import WeakSet

import numpy as np

from autosched.codegen.build import Built, Draft, draft, finish, shown, target
from autosched.codegen.printer import NO_MEMORY
from autosched.errors import BindError, ScheduleError
from autosched.lang.func import Pipeline
from autosched.lang.types import Type
from autosched.lower.demands import Exclusion
from autosched.lower.lower import Layout
from autosched.lower.names import bound_names
from autosched.runtime.binding import (
    Frame,
    address_of,
    check_regions,
    decisive,
    make_frame,
    misfits,
    plan_call,
    sizes_of,
    words,
)
from autosched.runtime.packing import constant
from autosched.runtime.pool import empty
from autosched.runtime.team import run_ranges
from autosched.runtime.threads import RANGES_PER_THREAD, run_tasks
from autosched.schedule.directives import Specialize, SpecializeRanges
from autosched.schedule.schedule import Schedule
from autosched.threads import checked

Array = np.ndarray[Any, Any]

#: Frames that a kernel keeps: sizes of images that come again.
FRAMES = 256

#: Elements of an output from which on there are kernels for ranges of Params: compiling one takes a second, which calls
#: for fewer elements never save.
RANGES_FROM = 1 << 16

#: Elements up to which a byte stride is compiled into the kernel: pixels next to each other, channels in a pixel.
CONSTANT_STRIDE = 4


@dataclass(eq=False)  # not frozen, which makes an object several times as slowly
class Call:
    """A kernel bound to arrays: ready to run, as often as wanted."""

    built: Built
    arguments: ArgumentWords[c_int64]
    iterations: tuple[int, ...]
    out: Array
    keep: tuple[Any, ...]  # what the addresses in `arguments` point into

    plain: ClassVar[bool] = True
    """Whether all that `run_range` does is to call a stage."""

    @property
    def stages(self) -> int:
        return len(self.iterations)

    def run_range(self, stage: int, first: int, last: int) -> None:
        """Iterations first..last-1 of the outermost loop of a stage."""
        self.run_with(self.arguments, stage, first, last)

    def run_with(self, arguments: ArgumentWords[c_int64], stage: int, first: int, last: int) -> None:
        """`run_range` with other arguments."""
        status = self.built.enter(self.built.addresses[stage], addressof(arguments), first, last)
        if status:
            self.fail(stage, status)

    def fail(self, stage: int, status: int) -> NoReturn:
        """Raise what the status of a stage says."""
        if status == NO_MEMORY:
            func = self.built.outline.stages[stage].func
            raise MemoryError(
                f"{self.built.pipeline.name}: no memory for what is stored inside the loops of Func {func}; "
                "compute it further in, fold its storage, or use smaller tiles"
            )
        raise ScheduleError(self.built.outline.statuses[status - 1])

    def run(self, threads: int | None = None) -> Array:
        """Compute the output; returns it."""
        run_calls([self], threads)
        return self.out

    def show(self, level: str = "source") -> str:
        """The code that runs: the generated source ("source"), its LLVM IR ("llvm") or assembly ("asm")."""
        return shown(self.built.outline, level)


def run_calls(calls: Sequence[Call], threads: int | None = None) -> None:
    """Run bound calls as one list of ranges, on at most `threads` threads (default: `default_threads()`)."""
    workers = threads if type(threads) is int and threads > 0 else checked(threads, error=BindError)
    if workers == 1 and len(calls) == 1:
        for stage, n in enumerate(calls[0].iterations):
            if n > 0:
                calls[0].run_range(stage, 0, n)
        return
    for stage in range(max((c.stages for c in calls), default=0)):
        here = [c for c in calls if stage < c.stages and c.iterations[stage] > 0]
        dealt = list(dealt_ranges(here, stage, workers))
        if workers == 1 or len(dealt) <= 1 or not all(call.plain for call in here):
            run_tasks([partial(call.run_range, stage, first, last) for call, first, last in dealt], workers)
            continue
        ranges = [(c.built.addresses[stage], addressof(c.arguments), first, last) for c, first, last in dealt]
        failed = run_ranges(ranges, workers)
        if failed is not None:
            number, status = failed
            dealt[number][0].fail(stage, status)


def dealt_ranges(calls: Sequence[Call], stage: int, workers: int) -> Iterator[tuple[Call, int, int]]:
    """The ranges of a stage that threads take one after the other."""
    total = sum(c.iterations[stage] for c in calls if c.built.outline.stages[stage].parallel)
    size = max(1, -(-total // (workers * RANGES_PER_THREAD))) if workers > 1 else total
    for call in calls:
        n = call.iterations[stage]
        step = max(size if call.built.outline.stages[stage].parallel else n, 1)
        for first in range(0, n, step):
            yield call, first, min(first + step, n)


class Kernel:
    """A pipeline compiled under a schedule.

    Kernels for the strides that arrays have are compiled when first met, and kept. Safe to call from many threads.
    """

    def __init__(self, pipeline: Pipeline, schedule: Schedule | None = None) -> None:
        if not isinstance(pipeline, Pipeline):
            raise BindError(
                f"a kernel is made of a Pipeline, not of a {type(pipeline).__name__}; write Pipeline(output)"
            )
        if not isinstance(schedule, (Schedule, NoneType)):
            raise ScheduleError(
                f"a schedule is a Schedule, not a {type(schedule).__name__}; Schedule.from_json reads the text of one"
            )
        self.pipeline = pipeline
        self.schedule = schedule or Schedule()
        self.schedule.check(pipeline)
        self._special: dict[str, list[Specialize | SpecializeRanges]] = {}
        for items in self.schedule.funcs.values():
            for x in items:
                if isinstance(x, (Specialize, SpecializeRanges)):
                    self._special.setdefault(x.param, []).append(x)
        self._drafts: dict[Any, Draft] = {}
        self._variants: dict[Any, Built] = {}
        self._frames: dict[Any, Frame] = {}
        self._decisive: frozenset[str] = frozenset()
        self._lock = threading.RLock()  # a signal's handler may compute too
        _kernels.add(self)

    def __repr__(self) -> str:
        return f"Kernel({self.pipeline.name!r}, {len(self._variants)} variants compiled)"

    def __call__(
        self,
        /,
        *,
        out: Array | None = None,
        shape: tuple[int, ...] | None = None,
        threads: int | None = None,
        **given: Any,
    ) -> Array:
        """Compute the output from inputs and params by name, into `out` or a new array of `shape`."""
        return self.bind(out=out, shape=shape, **given).run(threads)

    def bind(self, /, *, out: Array | None = None, shape: tuple[int, ...] | None = None, **given: Any) -> Call:
        """Check arrays and params and prepare a call. Raises BindError, which says what does not fit."""
        frame, arrays = self.prepare(out=out, shape=shape, **given)
        if out is not None:
            self._check_apart(out, arrays)
        arguments, memories = frame.fill({name: address_of(a) for name, a in arrays.items()})
        keep = (*frame.keep, *arrays.values(), *memories)
        return Call(frame.built, arguments, frame.iterations, arrays[self.pipeline.output.name], keep)

    def prepare(
        self, /, *, out: Array | None = None, shape: tuple[int, ...] | None = None, **given: Any
    ) -> tuple[Frame, dict[str, Array]]:
        """The frame of a call, and all its arrays by name, the output's too; see `bind`."""
        output = self.pipeline.output
        if (out is None) == (shape is None):
            raise BindError(f"{self.pipeline.name}: give either out, an array, or shape, the extents of a new one")
        if out is None:
            if not isinstance(shape, (tuple, list)) or any(not isinstance(n, Integral) or n < 0 for n in shape):
                raise BindError(f"shape is {shape!r}; it must be a tuple of extents, each at least 0")
            if len(shape) != output.ndim:
                raise BindError(f"shape is {shape!r}; {output.name} has {output.ndim} dimensions")
            out = empty(shape, output.type.dtype)
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
        bound = {**arrays, output.name: out}
        # a zero's sign is a bit, which comparison would lose
        key = (*self._geometry(bound), *(repr(v) if isinstance(v, float) else v for v in params.values()))
        frame = self._frames.get(key)
        if frame is None:
            frame = self._frame(bound, params)
            if all(constant(arrays[n]) for n in decisive(frame.built)):
                self._keep(key, frame, bound)
        return frame, bound

    def _check_apart(self, out: Array, arrays: Mapping[str, Array]) -> None:
        name = self.pipeline.output.name
        shared = [other for other, a in arrays.items() if other != name and np.shares_memory(a, out)]
        if shared:
            raise BindError(
                f"out, the array of {name}, shares memory with {', '.join(shared)}, which would change while it is "
                "read; give another array"
            )

    def _geometry(self, arrays: Mapping[str, Array]) -> Iterator[Any]:
        """The key of a frame: shapes and strides, and the identity of the tables that decide."""
        for name, a in arrays.items():
            yield a.shape
            yield a.strides
            if name in self._decisive:
                yield id(a)

    def _keep(self, key: tuple[Any, ...], frame: Frame, arrays: Mapping[str, Array]) -> None:
        """Keep a frame and its tables (so that no other array gets their id); the oldest goes where there are many."""
        tables = tuple(arrays[n] for n in decisive(frame.built))
        with self._lock:
            if not decisive(frame.built) <= self._decisive:
                self._decisive |= decisive(frame.built)  # the key lacks them: the next call keeps its frame
                return
            self._frames[key] = replace(frame, keep=(*frame.keep, *tables))
            while len(self._frames) > FRAMES:
                oldest, *_ = self._frames
                self._frames.pop(oldest, None)  # a signal's handler may have come in between

    def _frame(self, arrays: dict[str, Array], params: dict[str, Any]) -> Frame:
        """The kernel for arrays like these, and its arguments; raises BindError where they do not fit."""
        output = self.pipeline.output
        out = arrays[output.name]
        special = self._specialized(params, out.size)
        strides = {name: _constant_strides(a) for name, a in arrays.items()}
        strides[output.name] = _output_strides(out, [output.bounds.get(a.name) for a in output.args])
        sizes = sizes_of(arrays, params)
        excluded: frozenset[Exclusion] = frozenset()
        while out.size:
            drafted = self._draft(strides, special, excluded)
            plan = plan_call(drafted, sizes, arrays)
            unmet = misfits(drafted, plan, arrays)
            if not unmet:
                self._check_tables(plan, arrays)
                check_regions(drafted, plan, arrays)
                return make_frame(self._variant(strides, special, excluded), plan, sizes, arrays, params)
            excluded |= unmet
        built = self._variant(strides, special, excluded)
        return Frame(built, words(np.empty(0, np.int64)), {}, (0,) * len(built.stages), (), (), ())

    def _specialized(self, params: Mapping[str, Any], elements: int) -> dict[str, tuple[int, int]]:
        """The ranges of Params in the kernel for these values and so many elements of the output.

        That is the range with the fewest values where there are several.
        """
        ranges_of: dict[str, tuple[int, int]] = {}
        for name, directives in self._special.items():
            ranges = [r for x in directives if (r := x.range_of(int(params[name]))) is not None]
            if ranges:
                ranges_of[name] = min(ranges, key=lambda r: r[1] - r[0])
        return {name: (lo, hi) for name, (lo, hi) in ranges_of.items() if lo == hi or elements >= RANGES_FROM}

    def _check_names(self, given: Mapping[str, Any]) -> None:
        missing, extra = self.pipeline.unmatched(given)
        if missing or extra:
            what = [f"missing {', '.join(missing)}"] if missing else []
            what += [f"unknown {', '.join(extra)}"] if extra else []
            wanted = (*self.pipeline.inputs, *self.pipeline.params)
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
                lo, hi = (plan[bound] for bound in bound_names(name))
                least, most = (int(a[0]), int(a[-1])) if table.monotone else (int(a.min()), int(a.max()))
                if least < lo or most > hi:
                    raise BindError(f"table {name} is declared to hold {lo}..{hi}, but it holds {least}..{most}")

    def _draft(
        self, strides: dict[str, dict[int, int]], special: dict[str, tuple[int, int]], excluded: frozenset[Exclusion]
    ) -> Draft:
        """The kernel for arrays of these strides, lowered: what does not fit a call is seen before it is compiled."""
        key = _variant_key(strides, special, excluded)
        drafted = self._drafts.get(key)
        if drafted is None:
            with self._lock:
                drafted = self._drafts.get(key)
                if drafted is None:
                    lowered = draft(self.pipeline, self.schedule, Layout(strides, special, target(excluded)))
                    drafted = self._drafts.setdefault(key, lowered)
        return drafted

    def _variant(
        self, strides: dict[str, dict[int, int]], special: dict[str, tuple[int, int]], excluded: frozenset[Exclusion]
    ) -> Built:
        """The same compiled."""
        key = _variant_key(strides, special, excluded)
        variant = self._variants.get(key)
        if variant is None:
            drafted = self._draft(strides, special, excluded)
            with self._lock:
                variant = self._variants.get(key)
                if variant is None:
                    variant = self._variants.setdefault(key, finish(drafted))
        return variant


_kernels: WeakSet[Kernel] = WeakSet()


def _renew_locks() -> None:
    """A thread that held one is not in a forked child."""
    for kernel in _kernels:
        kernel._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _variant_key(
    strides: dict[str, dict[int, int]], special: dict[str, tuple[int, int]], excluded: frozenset[Exclusion]
) -> Any:
    return tuple((n, tuple(s.items())) for n, s in strides.items()), tuple(sorted(special.items())), excluded


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
