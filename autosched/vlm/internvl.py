"""InternVL and GOT-OCR2: an image stretched over a grid of tiles of the closest aspect, and a thumbnail after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.vlm.parts import Part, Plan, stacked
from autosched.vlm.pillow import pillow_pixels
from autosched.vlm.preparation import IMAGENET_MEAN, IMAGENET_STD, Preparation
from autosched.vlm.sizes import Size
from autosched.vlm.tile_family import processor, register_tiles

if TYPE_CHECKING:
    from PIL.Image import Image


@lru_cache(maxsize=64)
def grids(least: int, most: int) -> tuple[Size, ...]:
    """All grids (columns, rows) of `least` to `most` tiles: fewer tiles first, then fewer columns."""
    found = [(c, r) for c in range(1, most + 1) for r in range(1, most + 1) if least <= c * r <= most]
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def closest_grid(height: int, width: int, tile: Size, least: int, most: int) -> Size:
    """The grid (rows, columns) whose aspect is closest to the image's.

    Of grids that are equally close a later one (of more tiles) is taken while it has less than twice the image's area.
    """
    aspect, area = width / height, width * height
    best, nearest = (1, 1), float("inf")
    for columns, rows in grids(least, most):
        distance = abs(aspect - columns / rows)
        if distance < nearest or (distance == nearest and area > 0.5 * tile[0] * tile[1] * columns * rows):
            best, nearest = (rows, columns), distance
    return best


@dataclass(frozen=True)
class InternVL:
    """Tiles of an image.

    Attributes:
        preparation: the settings of pixels.
        tile: height and width of a tile.
        crop: whether there is more than the thumbnail.
        least, most: limits of the number of tiles, the thumbnail not counted.
    """

    preparation: Preparation = field(default_factory=lambda: Preparation(mean=IMAGENET_MEAN, std=IMAGENET_STD))
    tile: Size = (448, 448)
    crop: bool = True
    least: int = 1
    most: int = 12

    def __post_init__(self) -> None:
        if min(self.tile) < 1:
            raise ArgumentError(f"tile is {self.tile}; both sides must be at least 1.")

    def plan(self, height: int, width: int) -> Plan:
        """The tiles of an image of height x width pixels."""
        rows, columns = closest_grid(height, width, self.tile, self.least, self.most) if self.crop else (1, 1)
        size = (rows * self.tile[0], columns * self.tile[1])
        tiles = Part(size, (rows, columns))
        return Plan(self.tile, (tiles,) if rows * columns == 1 else (tiles, Part(self.tile)))


def dynamic_tiles(
    images: Sequence[Image], settings: InternVL | None = None, threads: int | None = None
) -> tuple[npt.NDArray[np.float32], list[int]]:
    """The tiles of PIL images as the model card of InternVL2.5 makes them, without torch.

    There: Pillow's resize of the RGB image to the grid, tiles of it, a thumbnail where there are several, torchvision's
    ToTensor (bytes divided by 255) and Normalize. The same bits.

    Returns:
        All tiles, float32 ``[tiles, 3, height, width]``, and how many each image has: the model's ``pixel_values`` (as
        a tensor) and ``num_patches_list``.
    """
    chosen = settings or InternVL(Preparation("pil", "bicubic", IMAGENET_MEAN, IMAGENET_STD))
    pixels = [pillow_pixels(image if image.mode == "RGB" else image.convert("RGB")) for image in images]
    plans = [chosen.plan(*image.shape[:2]) for image in pixels]
    return stacked(chosen.preparation, pixels, plans, chosen.tile, threads), [plan.tiles for plan in plans]


_PUBLISHED = InternVL()
for _backend in ("torchvision", "pil"):
    register_tiles(
        "internvl3",
        _PUBLISHED,
        _backend,
        "InternVL3 and 3.5 still images to tiles",
        processor(
            "GotOcr2ImageProcessor",
            _PUBLISHED.preparation,
            size={"height": 448, "width": 448},
            crop_to_patches=True,
        ),
    )
