"""Calls of the kernels of a layout: under the best schedule that is known, and quickly where sizes come again."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any, Self, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from autosched.errors import BindError
from autosched.runtime import Call, Kernel, Memory, Missing, Replay, Template, address_of, template
from autosched.schedule import Schedule
from autosched.vlm.lookup import tuned_schedule
from autosched.vlm.passes import BUCKETS, Algorithm, Source, bucket_of

#: dtype, extents and byte strides.
Geometry: TypeAlias = tuple[np.dtype[Any], tuple[int, ...], tuple[int, ...]]


def dense(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Geometry:
    """The geometry of a C-contiguous array."""
    return dtype, shape, tuple(dtype.itemsize * math.prod(shape[dim:]) for dim in range(1, len(shape) + 1))


@dataclass(frozen=True)
class Settings(ABC):
    """What a layout's kernels depend on; what calls of one geometry have in common is found once, and kept.

    A `place` is what of a resized image is computed, and further numbers that the layout has.
    """

    @abstractmethod
    def algorithm(self, height: int, width: int, place: Any) -> Algorithm:
        """The algorithm for an image of height x width pixels, of which the first of a place is computed."""

    @abstractmethod
    def arguments(self, algorithm: Any, image: Source, *place: Any) -> dict[str, Any]:
        """What the kernel of `algorithm` is bound to for an image and its place, the output excepted."""

    def call(
        self,
        image: Source,
        size: tuple[int, int],
        place: tuple[Hashable, ...],
        out: npt.NDArray[Any],
        threads: int,
        schedule: Schedule | None = None,
    ) -> Call:
        """A call that computes `out` of an image that is resized to `size`.

        By default it runs under the best schedule that is known for the image; a given `schedule` is for both passes.
        """
        if not out.flags.writeable:
            raise BindError("the output is read-only")
        geometry = out.dtype, out.shape, out.strides
        return self.call_at(address_of(out), out, geometry, image, size, place, threads, schedule)

    def call_at(
        self,
        address: int,
        out: npt.NDArray[Any],
        geometry: Geometry,
        image: Source,
        size: tuple[int, int],
        place: tuple[Hashable, ...],
        threads: int,
        schedule: Schedule | None = None,
    ) -> Call:
        """`call` of an output of such a geometry that begins at an address in `out`."""
        source = image.dtype, image.shape, image.strides
        made = self._templates(source, geometry, size, place, threads, schedule or best_schedule)
        return made.at(address, out, {"src": image})

    def replay_at(
        self,
        image: Memory,
        size: tuple[int, int],
        place: tuple[Hashable, ...],
        geometry: Geometry,
        shape: tuple[int, ...],
        threads: int,
    ) -> Replay | None:
        """The calls of images like this one, whose outputs are arrays of `shape`; None where they need more memory."""
        source = image.dtype, image.shape, image.strides
        made = self._templates(source, geometry, size, place, threads, best_schedule)
        return None if made.frame.roots else Replay(made, shape, geometry[0], threads)

    def shared(self) -> Self:
        """Settings that are equal to these, with what they have found out."""
        return cast("Self", _shared(self))

    @cached_property
    def _templates(self) -> Callable[..., Template]:
        """`_template`, remembered: the same sizes come again and again."""
        return lru_cache(maxsize=512)(self._template)

    def _template(
        self,
        source: Geometry,
        out: Geometry,
        size: tuple[int, int],
        place: tuple[Hashable, ...],
        threads: int,
        chosen: Schedule | Callable[..., Schedule],
    ) -> Template:
        """The call of images of one geometry but for the image and the output."""
        image = Missing(*source).stand_in()
        height, width = image.shape[-3:-1]
        algorithm = self.algorithm(height, width, place[0])
        if isinstance(chosen, Schedule):
            algorithm, schedule = replace(algorithm, across=True, down=True), chosen
        else:
            schedule = chosen(algorithm, image, size, threads)
        given = self.arguments(algorithm, image, *place)
        del given["src"]
        made = kernel(algorithm, schedule)
        return template(made, {"src": Missing(*source), made.pipeline.output.name: Missing(*out)}, **given)

    def __getstate__(self) -> dict[str, Any]:
        """The settings alone: templates have addresses of this process."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@lru_cache(maxsize=64)
def _shared(settings: Any) -> Any:
    return settings


@lru_cache(maxsize=256)
def kernel(algorithm: Algorithm, schedule: Schedule) -> Kernel:
    """The compiled pipeline; kept, because building it anew costs more than running it."""
    return Kernel(algorithm.pipeline(), schedule)


def best_schedule(algorithm: Algorithm, image: Source, size: tuple[int, int], threads: int) -> Schedule:
    """The schedule tuned on this machine for an image like this, or the built-in default."""
    return _best(algorithm, bucket_of(image, size).name, threads)


@lru_cache(maxsize=256)
def _best(algorithm: Algorithm, bucket: str, threads: int) -> Schedule:
    """Looked up once a process."""
    chosen = next(b for b in BUCKETS if b.name == bucket)
    return tuned_schedule(algorithm.pipeline(), chosen, threads) or algorithm.default(chosen)
