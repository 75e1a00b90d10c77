"""Schedule: the directives of each Func of a pipeline, immutable, to and from JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from autosched.errors import ScheduleError
from autosched.schedule import directives as d

if TYPE_CHECKING:
    from autosched.lang import Pipeline

#: Version of the JSON form. A reader refuses what it does not know.
SCHEMA = 1


@dataclass(frozen=True)
class Schedule:
    """How a pipeline is computed. Every method returns a new Schedule.

    >>> s = Schedule().split("blur", "y", "yo", "yi", 32).parallel("blur", "yo").vectorize("blur", "x", 16)
    >>> Schedule.from_json(s.to_json()) == s
    True
    """

    funcs: Mapping[str, tuple[d.Directive, ...]] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        checked = {
            name: tuple(d.validate(directive, name) for directive in items)
            for name, items in sorted(self.funcs.items())
            if items
        }
        object.__setattr__(self, "funcs", MappingProxyType(checked))
        object.__setattr__(self, "_hash", hash(tuple(checked.items())))

    def __hash__(self) -> int:
        return int(self.__dict__["_hash"])  # schedules are keys on the path of every call

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schedule) and dict(self.funcs) == dict(other.funcs)

    def __reduce__(self) -> tuple[Any, ...]:
        return Schedule.from_json, (self.to_json(),)

    def add(self, func: str, *directives: d.Directive) -> Schedule:
        """A schedule with `directives` appended to those of `func`."""
        func = d.named(func)
        return Schedule({**self.funcs, func: (*self.funcs.get(func, ()), *directives)})

    def split(self, func: str, var: str, outer: str, inner: str, factor: int, tail: d.Tail = "guard") -> Schedule:
        return self.add(func, d.Split(var, outer, inner, factor, tail))

    def tile(
        self, func: str, y: str, x: str, outer_y: str, outer_x: str, inner_y: str, inner_x: str, factor_y: int,
        factor_x: int, tail: d.Tail = "guard",
    ) -> Schedule:  # fmt: skip
        return self.add(func, d.Tile(y, x, outer_y, outer_x, inner_y, inner_x, factor_y, factor_x, tail))

    def reorder(self, func: str, *names: str) -> Schedule:
        return self.add(func, d.Reorder(names))

    def fuse(self, func: str, outer: str, inner: str, fused: str) -> Schedule:
        return self.add(func, d.Fuse(outer, inner, fused))

    def parallel(self, func: str, var: str) -> Schedule:
        return self.add(func, d.Parallel(var))

    def vectorize(self, func: str, var: str, lanes: int, tail: d.Tail = "guard") -> Schedule:
        return self.add(func, d.Vectorize(var, lanes, tail))

    def unroll(self, func: str, var: str, factor: int) -> Schedule:
        return self.add(func, d.Unroll(var, factor))

    def inline(self, func: str) -> Schedule:
        return self.add(func, d.Inline())

    def compute_root(self, func: str) -> Schedule:
        return self.add(func, d.ComputeRoot())

    def compute_at(self, func: str, consumer: str, var: str) -> Schedule:
        """`func` is computed in each iteration of loop `var` of `consumer`, as much as that iteration needs."""
        return self.add(func, d.ComputeAt(consumer, var))

    def store_root(self, func: str) -> Schedule:
        return self.add(func, d.StoreRoot())

    def store_at(self, func: str, consumer: str, var: str) -> Schedule:
        """What is computed of `func` is kept through the iterations of loop `var` of `consumer`, and not again."""
        return self.add(func, d.StoreAt(consumer, var))

    def fold_storage(self, func: str, var: str, factor: int = 0) -> Schedule:
        return self.add(func, d.FoldStorage(var, factor))

    def reorder_storage(self, func: str, *names: str) -> Schedule:
        return self.add(func, d.ReorderStorage(names))

    def align_storage(self, func: str, var: str, multiple: int) -> Schedule:
        return self.add(func, d.AlignStorage(var, multiple))

    def specialize(self, func: str, param: str, value: int) -> Schedule:
        return self.add(func, d.Specialize(param, value))

    def specialize_ranges(self, func: str, param: str, width: int, most: int) -> Schedule:
        return self.add(func, d.SpecializeRanges(param, width, most))

    def loads(self, func: str, source: str, strategy: d.LoadStrategy) -> Schedule:
        return self.add(func, d.Loads(source, strategy))

    def prefetch(self, func: str, source: str, distance: int) -> Schedule:
        return self.add(func, d.Prefetch(source, distance))

    def prefetch_next(self, func: str, source: str, at: str, loop: str, turns: int = 1, lines: int = 0) -> Schedule:
        return self.add(func, d.PrefetchNext(source, at, loop, turns, lines))

    def prefetch_stores(self, func: str, loop: str, turns: int = 1) -> Schedule:
        return self.add(func, d.PrefetchStores(loop, turns))

    def stream(self, func: str) -> Schedule:
        return self.add(func, d.Stream())

    def to_data(self) -> dict[str, Any]:
        """The schedule as JSON data, in a stable order."""
        return {"schema": SCHEMA, "funcs": {name: [i.to_json() for i in items] for name, items in self.funcs.items()}}

    def to_json(self) -> str:
        """The schedule as JSON text."""
        return json.dumps(self.to_data(), indent=1)

    @classmethod
    def from_data(cls, data: Any) -> Schedule:
        """The schedule that JSON data describes; everything in it is checked, nothing evaluated."""
        if not isinstance(data, dict) or "schema" not in data or not isinstance(data.get("funcs"), dict):
            raise ScheduleError("a schedule must be an object with 'schema' and 'funcs'")
        if data["schema"] != SCHEMA:
            raise ScheduleError(f"schedule schema {data['schema']!r} is not known; this version reads {SCHEMA}")
        made: dict[str, tuple[d.Directive, ...]] = {}
        for name, items in data["funcs"].items():
            if not isinstance(items, list):
                raise ScheduleError(f"Func {name}: its directives must be a list, not {items!r}")
            made[name] = tuple(d.from_json(item, name) for item in items)
        return cls(made)

    @classmethod
    def from_json(cls, text: str) -> Schedule:
        """The schedule that JSON text describes."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ScheduleError(f"the schedule is not JSON: {error}") from None
        return cls.from_data(data)

    def check(self, pipeline: Pipeline) -> None:
        """Raise ScheduleError where the schedule is not legal for `pipeline`."""
        from autosched.schedule.nest import resolve

        resolve(pipeline, self)

    def problem(self, pipeline: Pipeline) -> str | None:
        """What is wrong with the schedule for `pipeline`; None where nothing is."""
        try:
            self.check(pipeline)
        except ScheduleError as error:
            return str(error)
        return None

    def show(self, pipeline: Pipeline, level: str = "loops") -> str:
        """The loop nest ("loops"), the generated source ("source"), LLVM IR ("llvm") or assembly ("asm").

        Below the loops it is the kernel for C-contiguous arrays; `kernel.bind(...).show(...)` has that of others.
        """
        if level == "loops":
            from autosched.schedule.show import show

            return show(pipeline, self)
        if level not in ("source", "llvm", "asm"):
            raise ScheduleError(f"show level {level!r} is not one of loops, source, llvm, asm")
        import importlib

        build = importlib.import_module("autosched.codegen.build")  # an arrow upwards, only when asked for
        return str(build.show(pipeline, self, level))


for _name, _directive in d.DIRECTIVES.items():  # what a directive does is said once, where it is defined
    _method = getattr(Schedule, _name)
    _method.__doc__ = _method.__doc__ or _directive.__doc__
