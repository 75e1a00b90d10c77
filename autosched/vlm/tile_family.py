"""Kernel families of tiles: from a planner and its settings to what `autosched tune` and `bench` need."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.imaging.byte_table import CHANNELS
from autosched.lang import Type
from autosched.vlm.parts import Part, Plan, bindings, run_plans
from autosched.vlm.passes import BUCKETS, Canvas, Source, bucket_of, measures
from autosched.vlm.photographs import specimens
from autosched.vlm.pillow import given_pixels
from autosched.vlm.preparation import Preparation, Reference
from autosched.vlm.registry import KernelFamily, name_of, register
from autosched.vlm.tiles import NAMED, TileAlgorithm, TileSettings
from autosched.workload import Binding, Workload

#: Calls that are checked against the interpreter, and the longer side of their images and tiles, in pixels.
_CHECKS, _CHECKED_SIDE = 2, 150


class Planner(Protocol):
    """What makes plans: a frozen dataclass of a family's settings."""

    @property
    def preparation(self) -> Preparation:
        """The settings of pixels."""
        ...

    def plan(self, height: int, width: int) -> Plan:
        """The tiles of an image of height x width pixels."""
        ...


def register_tiles(
    name: str,
    planner: Planner,
    backend: str,
    summary: str,
    processors: Callable[[str], Any],
    space: str = "tiles.toml",
) -> None:
    """Registers a planner for one reference: as `name`, or `name-pil`.

    `processors` makes Hugging Face's own processor of a backend; it raises ImportError where that is not installed.
    """
    reference = cast("Reference", backend)
    chosen = replace(planner, preparation=replace(planner.preparation, reference=reference))  # type: ignore[type-var]
    register(_family(name, chosen, summary, processors, space))


def _family(name: str, planner: Planner, summary: str, processors: Callable[[str], Any], space: str) -> KernelFamily:
    p = planner.preparation
    algorithm = TileAlgorithm(p.flavour, False, p.values, p.dtype, arithmetic=p.arithmetic)

    def rounded(dtype: Type) -> KernelFamily:
        made = replace(planner, preparation=replace(p, dtype=dtype))  # type: ignore[type-var]
        return _family(name, made, summary, processors, space)

    return KernelFamily(
        name=name_of(name, p),
        summary=f"{summary}, bit for bit as transformers' {p.reference} backend",
        pipeline=algorithm.pipeline,
        schedules={key: partial(make, algorithm) for key, make in NAMED.items()},
        specimens=specimens,
        workload=partial(workload, planner),
        compute=partial(outputs, planner),
        buckets=BUCKETS,
        space=space,
        processors={b: lambda _, b=b: processors(b) for b in ("torchvision", "pil")},  # type: ignore[misc]
        dtype=p.dtype,
        rounded=rounded,
    )


def workload(planner: Planner, images: Sequence[Any], _settings: Mapping[str, Any]) -> Workload:
    """The last calls that make tiles of PIL images as one batch, from Pillow's memory layout.

    A drop-in looks up a schedule for each call, and those of tiles and of a thumbnail may be in different buckets: here
    are those of the bucket that makes the most pixels.
    """
    found: dict[str, list[tuple[Source, Part, Binding]]] = {}
    for image in images:
        pixels = np.asarray(image.convert("RGBX"))[:, :, :CHANNELS]
        for source, part, binding in bindings(planner.preparation, pixels, planner.plan(*pixels.shape[:2])):
            if not _vertical_first(planner, source.shape, part.size):
                found.setdefault(bucket_of(source, part.size).name, []).append((source, part, binding))
    if not found:
        raise ArgumentError("Pillow resizes the columns of these images first, another kernel; give wider ones.")
    made = max(found.values(), key=lambda calls: sum(math.prod(binding.shape) for _, _, binding in calls))
    spread = {"stretch": float(np.median([measures(source, part.size)["stretch"] for source, part, _ in made]))}
    small = tuple(_checked(planner, source, part.size) for source, part, _ in made[:_CHECKS])
    return Workload("images", tuple(binding for *_, binding in made), spread, items=len(images), checks=lambda: small)


def outputs(
    planner: Planner, images: Sequence[Any], _settings: Mapping[str, Any], threads: int
) -> list[npt.NDArray[Any]]:
    """The tiles of each image, ``[tiles, 3, height, width]``; see `KernelFamily.compute`."""
    pixels = [given_pixels(image) for image in images]
    plans = [planner.plan(*each.shape[:2]) for each in pixels]
    outs = [planner.preparation.empty((plan.tiles, CHANNELS, *plan.tile)) for plan in plans]
    run_plans(planner.preparation, pixels, plans, outs, threads)
    return outs


def _vertical_first(planner: Planner, shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether an image is another pipeline's."""
    return planner.preparation.vertical_first(shape[0], shape[1], size)


def _checked(planner: Planner, source: Any, size: tuple[int, int]) -> Binding:
    """The call of a piece of an image that is resized by about the same ratio into one small tile."""
    shrink = max(1.0, max(*size, *source.shape[:2]) / _CHECKED_SIDE)
    height, width = (max(8, int(side / shrink)) for side in source.shape[:2])
    tile = max(8, int(size[0] / shrink)), max(8, int(size[1] / shrink))
    piece = source[:height, :width]
    tiles = TileSettings(planner.preparation)
    given = tiles.arguments(tiles.resizing, piece, Canvas(tile), tile)
    return Binding(given, (1, 1, CHANNELS, *tile))


def processor(name: str, preparation: Preparation, **settings: Any) -> Callable[[str], Any]:
    """What makes transformers' processor of a class (as 5.x calls its torchvision form) for a backend."""

    def make(backend: str) -> Any:
        import transformers

        old = int(transformers.__version__.split(".")[0]) < 5
        if backend == "torchvision":
            import torchvision  # noqa: F401  (its absence is what is asked for)
        suffix = {"torchvision": "Fast" if old else "", "pil": "" if old else "Pil"}[backend]
        made = getattr(transformers, name + suffix)
        return made(image_mean=list(preparation.mean), image_std=list(preparation.std), **settings)

    return make
