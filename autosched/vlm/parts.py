"""Plans: how one image becomes tiles, as resizes of it (or of resizes of it) that are cut into grids.

Families make plans from heights and widths; here plans of whole batches are run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from autosched.errors import BindError
from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Bands, Call, Memory, Replay, cropped, default_threads, empty, run_calls
from autosched.schedule import Schedule
from autosched.vlm.passes import Canvas, Source, rgb
from autosched.vlm.preparation import Preparation
from autosched.vlm.square import squared
from autosched.vlm.tiles import TileSettings
from autosched.workload import Binding

#: Bytes that images become on the way to their tiles, in calls that run at once: more images are waited for, so that
#: these bytes are read again before they leave the caches, and take little memory.
_MADE: Final = 1 << 22


@dataclass(frozen=True)
class Part:
    """One resize of an image, cut into tiles in rows.

    Attributes:
        size: height and width that the source is resized to.
        grid: rows and columns of tiles.
        origin: where the first tile begins in the resized image; zeros (bytes) where tiles reach beyond it.
        square: colour of a square that the image is placed in the middle of first; None leaves it.
        via: what the image is resized to before, as bytes, one after the other.
        region: top, left, height and width of the source in what that gives; cut at its edges; None is all of it.
    """

    size: tuple[int, int]
    grid: tuple[int, int] = (1, 1)
    origin: tuple[int, int] = (0, 0)
    square: tuple[int, ...] | None = None
    via: tuple[Canvas, ...] = ()
    region: tuple[int, int, int, int] | None = None

    @property
    def tiles(self) -> int:
        """The number of tiles that it makes."""
        return self.grid[0] * self.grid[1]


@dataclass(frozen=True)
class Plan:
    """All tiles of one image, in order; each of `tile` (height, width) pixels."""

    tile: tuple[int, int]
    parts: tuple[Part, ...]

    @property
    def tiles(self) -> int:
        """The number of tiles of all parts together."""
        return sum(part.tiles for part in self.parts)

    @property
    def made(self) -> int:
        """Bytes of the images that are made before tiles are."""
        steps = {(part.square, part.via[: depth + 1]) for part in self.parts for depth in range(len(part.via))}
        return sum(CHANNELS * math.prod(via[-1].shape) for _, via in steps)


def run_plans(
    preparation: Preparation,
    images: Sequence[Source],
    plans: Sequence[Plan],
    outs: Sequence[npt.NDArray[Any]],
    threads: int | None = None,
) -> None:
    """Computes the tiles of every image.

    Args:
        preparation: the settings of pixels.
        images: uint8 ``[H, W, C]`` with C >= 3 of any strides; the first three channels are read. `Bands` have three.
        plans: one for each image.
        outs: of the preparation's dtype, ``[plan.tiles, 3, height, width]`` for each image; rows are contiguous.
        threads: upper bound of the threads used, None for the default.

    Raises:
        BindError: an array does not fit its plan.
    """
    workers = default_threads() if threads is None else threads
    first, made = 0, 0
    for last, plan in enumerate(plans, 1):
        made += plan.made
        if made >= _MADE or last == len(plans):
            part = slice(first, last)
            for calls in call_batches(preparation, images[part], plans[part], outs[part], workers):
                run_calls(calls, workers)
            first, made = last, 0


def replay(preparation: Preparation, image: Memory, plan: Plan, threads: int) -> Replay | None:
    """The tiles of images like this one, each time ``[tiles, 3, *tile]``; None where they are not one resize of it."""
    part, *others = plan.parts
    if others or part.via or part.square is not None or part.region is not None:
        return None
    (rows, columns), (height, width) = part.grid, plan.tile
    canvas = Canvas(part.size, part.origin, (rows * height, columns * width))
    tiles, shape = (rows, columns, CHANNELS, height, width), (plan.tiles, CHANNELS, height, width)
    return TileSettings(preparation).shared().replay(image, canvas, tiles, shape, threads)


def stacked(
    preparation: Preparation,
    images: Sequence[Source],
    plans: Sequence[Plan],
    tile: tuple[int, int],
    threads: int | None = None,
) -> npt.NDArray[Any]:
    """The tiles of all images one after the other, ``[tiles, 3, *tile]``; see `run_plans`."""
    counts = [plan.tiles for plan in plans]
    out = preparation.empty((sum(counts), CHANNELS, *tile))
    run_plans(preparation, images, plans, np.split(out, np.cumsum(counts)[:-1]), threads)
    return out


def call_batches(
    preparation: Preparation,
    images: Sequence[Source],
    plans: Sequence[Plan],
    outs: Sequence[npt.NDArray[Any]],
    threads: int = 1,
    schedule: Schedule | None = None,
) -> list[list[Call]]:
    """The bound calls of `run_plans`: each list needs what the lists before it wrote."""
    sources = Sources(preparation, threads)
    last: list[Call] = []
    tiles = TileSettings(preparation).shared()
    for image, plan, out in zip(images, plans, outs, strict=True):
        height, width = plan.tile
        if out.shape != (plan.tiles, CHANNELS, height, width):
            raise BindError(
                f"The output is {list(out.shape)}; the plan makes {[plan.tiles, CHANNELS, height, width]} of an image "
                f"of {list(image.shape)}."
            )
        first = 0
        for part, source in zip(plan.parts, sources.of(image, plan.parts), strict=True):
            rows, columns = part.grid
            view = out[first : first + part.tiles].reshape(rows, columns, CHANNELS, height, width)
            canvas = Canvas(part.size, part.origin, (rows * height, columns * width))
            last.append(tiles.bind(source, canvas, view, threads, schedule))
            first += part.tiles
    return [*sources.stages, last]


def bindings(
    preparation: Preparation, image: npt.NDArray[np.uint8], plan: Plan
) -> list[tuple[npt.NDArray[np.uint8], Part, Binding]]:
    """The last calls of a plan with their sources, what comes before them run: work to tune and to time."""
    sources = Sources(preparation, 1)
    read = [source.whole() if isinstance(source, Bands) else source for source in sources.of(image, plan.parts)]
    for calls in sources.stages:
        run_calls(calls, 1)
    tiles = TileSettings(preparation).shared()
    made = []
    for part, source in zip(plan.parts, read, strict=True):
        (rows, columns), (height, width) = part.grid, plan.tile
        canvas = Canvas(part.size, part.origin, (rows * height, columns * width))
        given = tiles.arguments(tiles.resizing, source, canvas, plan.tile)
        made.append((source, part, Binding(given, (rows, columns, CHANNELS, height, width))))
    return made


class Sources:
    """Sources of parts: images, regions and squares of them, and bytes that earlier batches of calls make."""

    def __init__(self, preparation: Preparation, threads: int) -> None:
        self.settings = TileSettings(preparation, bytes=True).shared()
        self.threads = threads
        self.stages: list[list[Call]] = []

    def of(self, image: Source, parts: Iterable[Part]) -> list[Source]:
        """The source of each part; parts that begin alike share what they share."""
        made: dict[Any, Source] = {}
        return [self._source(rgb(image), part, made) for part in parts]

    def _source(self, image: Source, part: Part, made: dict[Any, Source]) -> Source:
        key: tuple[Any, ...] = (part.square,)
        if key not in made:
            made[key] = image if part.square is None else squared(image, part.square)
        for depth, canvas in enumerate(part.via):
            before, key = made[key], (*key, canvas)
            if key not in made:
                planes = empty((CHANNELS, *canvas.shape), np.uint8)
                made[key] = planes.transpose(1, 2, 0)
                while len(self.stages) <= depth:
                    self.stages.append([])
                self.stages[depth].append(self.settings.bind(before, canvas, planes[None, None], self.threads))
        return made[key] if part.region is None else cropped(made[key], *part.region)
