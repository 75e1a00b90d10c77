"""Kernels of a family under schedules of our choice, on the images of a workload: bound, checked, timed in rounds.

Only the kernels are timed, into outputs that are in memory; whole calls are what `cell` times.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np

from autosched.errors import ArgumentError, ScheduleError
from autosched.imaging.byte_table import normalize_table
from autosched.runtime import Call, Kernel, empty, run_calls
from autosched.schedule import Schedule, directives
from autosched.vlm.anyres import AnyRes
from autosched.vlm.internvl import InternVL
from autosched.vlm.passes import Algorithm
from autosched.vlm.patches import PatchAlgorithm
from autosched.vlm.preparation import Preparation, Values
from autosched.vlm.qwen_vl import QwenVL
from autosched.vlm.registry import KernelFamily, get
from autosched.vlm.tiles import TileAlgorithm
from autosched.workload import Bucket, nearest
from autosched.workload import Workload as Calls
from experiments.exactness import InexactError
from experiments.experiment import Effort, Selection
from experiments.family import FAMILIES
from experiments.implementation import NotAvailableError
from experiments.timing import Job, interleave
from experiments.workloads import Workload

#: The settings of pixels of each kernel.
_PREPARATIONS: Final = {
    "qwen2.5-vl": QwenVL().preparation,
    "internvl3": InternVL().preparation,
    "llava-next": AnyRes().preparation,
}
_CONSTANTS: Final = ("mean", "std", "inverse")


def kernels(selection: Selection) -> Iterator[tuple[str, str]]:
    """The families that are wanted and have a kernel, each with the name of that."""
    for name in selection.chosen(FAMILIES, selection.families):
        if kernel := FAMILIES[name].kernel:
            yield name, kernel


@dataclass(frozen=True)
class Variant:
    """A schedule and, where it is not the family's own, how bytes become values."""

    schedule: Schedule
    values: Values | None = None


@dataclass(frozen=True)
class Bench:
    """A kernel family and the calls that it makes for a workload."""

    family: KernelFamily
    algorithm: Algorithm
    preparation: Preparation
    calls: Calls
    bucket: Bucket

    def schedule(self, name: str) -> Schedule:
        """A named schedule for the workload's bucket. Raises NotAvailableError where there is none."""
        if name not in self.family.schedules:
            raise NotAvailableError(f"{self.family.name} has no schedule called {name}")
        return self.family.schedules[name](self.bucket)

    def found(self, threads: int) -> Schedule:
        """What `autosched.load` gives on this machine: the tuned schedule, or the built-in default."""
        from autosched.vlm.load import load

        return load(self.family.name, bucket=self.bucket.name, threads=threads).schedule

    def outputs(self) -> list[np.ndarray[Any, Any]]:
        """New outputs of the calls, in memory as real ones have it: whole lines are written differently elsewhere."""
        return [empty(binding.shape, np.float32) for binding in self.calls.bindings]

    def bind(self, variant: Variant, outs: Sequence[np.ndarray[Any, Any]]) -> list[Call]:
        """The calls of a variant, which write `outs`. Raises ScheduleError where it is not legal."""
        values = variant.values or self.algorithm.values
        kernel = Kernel(replace(self.algorithm, values=values).pipeline(), variant.schedule)
        bindings = zip(self.calls.bindings, outs, strict=True)
        return [kernel.bind(out=out, **self._given(binding.given, values)) for binding, out in bindings]

    def times(self, variants: Mapping[str, Variant], threads: int, effort: Effort) -> dict[str, list[float]]:
        """Seconds of every variant that is legal, in the same rounds, after their bits were compared with the first's.

        All write the same outputs, as often as each other.

        Raises:
            InexactError: a variant gives other bits.
        """
        bound: dict[str, list[Call]] = {}
        expected: list[np.ndarray[Any, Any]] = []
        outs = self.outputs()
        for name, variant in variants.items():
            effort.say(f"compiling {name}")
            try:
                calls = self.bind(variant, outs)
                for out in outs:
                    out.fill(np.nan)
                run_calls(calls, threads)
            except (ScheduleError, ArgumentError):
                continue
            expected = expected or [out.copy() for out in outs]
            if not all(np.array_equal(out, wanted) for out, wanted in zip(outs, expected, strict=True)):
                raise InexactError(f"{name} of {self.family.name} gives other bits than {next(iter(variants))}")
            bound[name] = calls
        jobs: dict[str, Job] = {name: partial(run_calls, calls, threads) for name, calls in bound.items()}
        return interleave(jobs, effort.rounds, lambda n: effort.say(f"round {n}"))

    def _given(self, given: Mapping[str, Any], values: Values) -> dict[str, Any]:
        """The arguments of the family's own form, for another form of values."""
        if values == self.algorithm.values:
            return dict(given)
        p = self.preparation
        rest = {name: value for name, value in given.items() if name not in _CONSTANTS}
        if values == "table":
            table = normalize_table(p.mean, p.std, p.rescale_factor, p.do_rescale, p.do_normalize, p.flavour)
            return {**rest, "values": table}
        return {**rest, "mean": given["mean"], "std": given["std"]}


def bench(kernel: str, workload: Workload) -> Bench:
    """The kernel family of a name on a workload. Raises NotAvailableError where there is none."""
    if kernel not in _PREPARATIONS:
        raise NotAvailableError(f"{kernel or 'this family'} has no kernel whose schedules are compared")
    family, preparation = get(kernel), _PREPARATIONS[kernel]
    limits = {"min_pixels": workload.min_pixels, "max_pixels": workload.max_pixels} if family.settings else {}
    calls = family.workload(workload.images(), {**family.settings, **limits})
    bucket = nearest(calls.measures, family.buckets)
    assert bucket is not None
    made = PatchAlgorithm if kernel == "qwen2.5-vl" else TileAlgorithm
    return Bench(family, made(values=preparation.values), preparation, calls, bucket)


def without(schedule: Schedule, *kinds: type[directives.Directive]) -> Schedule:
    """A schedule without all directives of some kinds."""
    kept = {func: tuple(d for d in items if not isinstance(d, kinds)) for func, items in schedule.funcs.items()}
    return Schedule(kept)


def scalar(schedule: Schedule) -> Schedule:
    """A schedule without vectors, and without what only vectors can have."""
    return without(schedule, directives.Vectorize, directives.Loads, directives.Stream)


def replaced(
    schedule: Schedule, func: str, changes: Mapping[directives.Directive, Sequence[directives.Directive]]
) -> Schedule:
    """A schedule with some directives of a Func replaced by others."""
    items = [new for old in schedule.funcs[func] for new in changes.get(old, (old,))]
    return Schedule({**schedule.funcs, func: tuple(items)})
