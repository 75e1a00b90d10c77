"""A workload from nothing but a shape of the output: Inputs as large as they are read, with random elements."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Final, NoReturn

import numpy as np

from autosched.codegen.build import Draft, draft
from autosched.errors import TuneError
from autosched.lang import Pipeline
from autosched.lang.func import Input
from autosched.lower.names import extent_name, required_names, stride_name
from autosched.runtime.binding import plan_call
from autosched.schedule import Schedule
from autosched.workload import Binding, Workload

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

#: An extent that no read of clamped coordinates reaches; more than half of it is what depends on the extent itself.
_ENDLESS: Final = 1 << 50
#: How many times larger an output is of which it is seen how extents grow, for they grow in steps in a pyramid.
_MANY: Final = 1024
#: Extents of the call that every candidate is checked on, in which the interpreter is quick: the last one has vectors.
_SMALL, _SMALL_LAST = 21, 75


def random_workload(pipeline: Pipeline, shape: Shape, **given: Any) -> Workload:
    """One call for an output of `shape`: integers over all of their type, floats in [0, 1).

    What is `given`, arrays and Params by name, is taken as it is. Params have to be given, and so have Inputs that
    declare what they hold. An extent that the algorithm asks for itself, as in ``RDom(k=a.extent(1))``, is that of the
    output in the same dimension. Raises TuneError where no size fits.
    """
    output = pipeline.output
    for arg, extent in zip(output.args, shape, strict=False):
        if extent != output.bounds.get(arg.name, extent):
            raise TuneError(f"{output.name} is bound to {output.bounds[arg.name]} in {arg.name}, not to {extent}")
    if len(shape) != output.ndim or min(shape) < 1:
        raise TuneError(f"shape is {shape}; {output.name} has {output.ndim} coordinates, each with an extent from 1 on")
    for input_ in pipeline.inputs.values():
        if input_.name not in given and (input_.monotone or input_.bounds is not None):
            raise TuneError(f"{pipeline.name} declares what {input_.name} holds, which random elements do not: give it")
    if missing := [name for name in pipeline.params if name not in given]:
        raise TuneError(f"{pipeline.name} has Params, for which values have to be given: {', '.join(missing)}")
    sizes = _Sizes(pipeline, given)
    call = _call(pipeline, shape, sizes, given)
    smaller = tuple(
        min(n, n if arg.name in output.bounds else _SMALL if dim < output.ndim - 1 else _SMALL_LAST)
        for dim, (arg, n) in enumerate(zip(output.args, shape, strict=True))
    )
    arrays = any(isinstance(value, np.ndarray) for value in given.values())  # they may not fit another shape
    checks = () if arrays or prod(smaller) == prod(shape) else (_call(pipeline, smaller, sizes, given),)
    return Workload("x".join(map(str, shape)), (call,), checks=lambda: checks)


def _call(pipeline: Pipeline, shape: Shape, sizes: _Sizes, given: Mapping[str, Any]) -> Binding:
    rng = np.random.default_rng(0)
    shapes = sizes.of(shape)
    arrays = {name: _elements(rng, pipeline.inputs[name], shapes[name]) for name in pipeline.inputs if name in shapes}
    return Binding({**arrays, **given}, shape)


def _elements(rng: np.random.Generator, input_: Input, shape: Shape) -> Array:
    of = input_.type
    if of.is_float:
        return rng.random(shape, of.dtype.type)
    return rng.integers(int(of.min), int(of.max), shape, of.dtype.type, endpoint=True)


class _Sizes:
    """How large the Inputs that are not given must be for an output of some shape."""

    def __init__(self, pipeline: Pipeline, given: Mapping[str, Any]) -> None:
        self.pipeline = pipeline
        self.arrays = {name: value for name, value in given.items() if isinstance(value, np.ndarray)}
        self.params = {name: int(value) for name, value in given.items() if isinstance(value, (int, np.integer))}
        self.wanted = {name: i.ndim for name, i in pipeline.inputs.items() if name not in given}
        whole = Schedule()  # computes no more than is read
        for func in pipeline.funcs[:-1]:
            whole = whole.compute_root(func.name)
        self.draft: Draft = draft(pipeline, whole)

    def of(self, shape: Shape) -> dict[str, Shape]:
        """The shape of each. Raises TuneError where there is none.

        An extent that grows with the output's is as large without the rim that clamped coordinates reach.
        """
        endless = {name: (_ENDLESS,) * ndim for name, ndim in self.wanted.items()}
        wide = self._read(tuple((_MANY + 1) * n for n in shape), endless)
        made = self._read(shape, endless)
        for name, extents in made.items():
            asked = [dim for dim, extent in enumerate(extents) if extent > _ENDLESS // 2]
            if asked and asked[-1] >= len(shape):
                self._fail(name, asked[-1])
            made[name] = tuple(
                shape[dim] if dim in asked else round((wide[name][dim] - extent) / _MANY) or extent
                for dim, extent in enumerate(extents)
            )
        for _ in made:  # what is not clamped reads more, and the extent of one may decide how much of another is read
            read = self._read(shape, made)
            made = {name: tuple(map(max, extents, read[name])) for name, extents in made.items()}
        for name, extents in self._read(shape, made).items():
            for dim, extent in enumerate(extents):
                if extent > made[name][dim]:
                    self._fail(name, dim)
        return made

    def _fail(self, name: str, dim: int) -> NoReturn:
        output = self.pipeline.output.name
        raise TuneError(f"a shape of {output} does not say how large {name} is in dimension {dim}: give it")

    def _read(self, shape: Shape, extents: Mapping[str, Shape]) -> dict[str, Shape]:
        """The extents that are read for an output of `shape` where the Inputs have those."""
        sizes = dict(self.params)
        known = {self.pipeline.output.name: shape, **{name: a.shape for name, a in self.arrays.items()}, **extents}
        for name, of in known.items():
            sizes |= {extent_name(name, dim): n for dim, n in enumerate(of)}
            sizes |= {stride_name(name, dim): 8 for dim in range(len(of))}
        plan = plan_call(self.draft, sizes, self.arrays)
        read: dict[str, Shape] = {}
        for name, of in extents.items():
            sides = [[plan.get(side, 0) for side in required_names(name, dim)] for dim in range(len(of))]
            for dim, (low, high) in enumerate(sides):
                if low < 0 and low <= high:
                    raise TuneError(
                        f"{self.pipeline.name} reads {name} at {low} in dimension {dim}; clamp the index, or move it"
                    )
            read[name] = tuple(max(high + 1, 1) for _, high in sides)
        return read
