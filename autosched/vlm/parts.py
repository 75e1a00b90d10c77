"""Plans: how one image becomes tiles, as resizes of it (or of resizes of it) that are cut into grids.

Families make plans from heights and widths; here plans of whole batches are run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.errors import BindError
from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Call, default_threads, empty, run_calls
from autosched.schedule import Schedule
from autosched.vlm.passes import Canvas
from autosched.vlm.preparation import Preparation
from autosched.vlm.tiles import TileSettings
from autosched.workload import Binding

Pixels: TypeAlias = npt.NDArray[np.uint8]


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
        """How many tiles it makes."""
        return self.grid[0] * self.grid[1]


@dataclass(frozen=True)
class Plan:
    """All tiles of one image, in order; each of `tile` (height, width) pixels."""

    tile: tuple[int, int]
    parts: tuple[Part, ...]

    @property
    def tiles(self) -> int:
        """How many tiles all parts make together."""
        return sum(part.tiles for part in self.parts)


def run_plans(
    preparation: Preparation,
    images: Sequence[Pixels],
    plans: Sequence[Plan],
    outs: Sequence[npt.NDArray[Any]],
    threads: int | None = None,
) -> None:
    """Computes the tiles of every image.

    Args:
        preparation: the settings of pixels.
        images: uint8 ``[H, W, C]`` with C >= 3 of any strides; the first three channels are read.
        plans: one for each image.
        outs: of the preparation's dtype, ``[plan.tiles, 3, height, width]`` for each image; rows are contiguous.
        threads: upper bound of the threads used, None for the default.

    Raises:
        BindError: an array does not fit its plan.
    """
    workers = default_threads() if threads is None else threads
    for calls in stages(preparation, images, plans, outs, workers):
        run_calls(calls, workers)


def stages(
    preparation: Preparation,
    images: Sequence[Pixels],
    plans: Sequence[Plan],
    outs: Sequence[npt.NDArray[Any]],
    threads: int = 1,
    schedule: Schedule | None = None,
) -> list[list[Call]]:
    """The bound calls of `run_plans`: each list needs what the lists before it wrote."""
    sources = Sources(preparation, threads)
    last: list[Call] = []
    tiles = TileSettings(preparation)
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


def bindings(preparation: Preparation, image: Pixels, plan: Plan) -> list[tuple[Pixels, Part, Binding]]:
    """The last calls of a plan with their sources, what comes before them run: work to tune and to time."""
    sources = Sources(preparation, 1)
    read = sources.of(image, plan.parts)
    for calls in sources.stages:
        run_calls(calls, 1)
    tiles = TileSettings(preparation)
    made = []
    for part, source in zip(plan.parts, read, strict=True):
        (rows, columns), (height, width) = part.grid, plan.tile
        canvas = Canvas(part.size, part.origin, (rows * height, columns * width))
        given = tiles.arguments(tiles.resizing, source, canvas, plan.tile)
        made.append((source, part, Binding(given, (rows, columns, CHANNELS, height, width))))
    return made


class Sources:
    """What parts are resized from: images, regions and squares of them, and bytes that earlier `stages` make."""

    def __init__(self, preparation: Preparation, threads: int) -> None:
        self.settings = TileSettings(preparation, bytes=True)
        self.threads = threads
        self.stages: list[list[Call]] = []

    def of(self, image: Pixels, parts: Iterable[Part]) -> list[Pixels]:
        """The source of each part; parts that begin alike share what they share."""
        made: dict[Any, Pixels] = {}
        return [self._source(image[:, :, :CHANNELS], part, made) for part in parts]

    def _source(self, image: Pixels, part: Part, made: dict[Any, Pixels]) -> Pixels:
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
        if part.region is None:
            return made[key]
        top, left, height, width = part.region
        return made[key][top : top + height, left : left + width]


def squared(image: Pixels, colour: tuple[int, ...]) -> Pixels:
    """A copy of an image [H, W, 3] in the middle of a square of `colour`; the image itself where it is square."""
    height, width = image.shape[:2]
    if height == width:
        return image
    side = max(height, width)
    made = empty((side, side, CHANNELS), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    for band in (made[:top], made[top + height :], made[:, :left], made[:, left + width :]):
        band[...] = colour
    made[top : top + height, left : left + width] = image
    return made
