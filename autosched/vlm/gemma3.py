"""Gemma 3: one tile an image, and with pan and scan one for each of a few crops."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from autosched.vlm.parts import Part, Plan
from autosched.vlm.preparation import HALF, Preparation
from autosched.vlm.sizes import Size
from autosched.vlm.tile_family import processor, register_tiles


@dataclass(frozen=True)
class PanAndScan:
    """When and how an image is cut into crops.

    Attributes:
        least_side: crops with a smaller side than this many pixels are not made.
        most: limit of the number of crops.
        ratio: aspect from which on images are cut.
    """

    least_side: int = 256
    most: int = 4
    ratio: float = 1.2

    def crops(self, height: int, width: int) -> list[tuple[int, int, int, int]]:
        """Top, left, height and width of every crop; the last may reach beyond the image."""
        long, short = max(height, width), min(height, width)
        if long / short < self.ratio:
            return []
        count = min(long // self.least_side, math.floor(long / short + 0.5))
        count = min(self.most, max(2, count))
        step = math.ceil(long / count)
        if min(step, short) < self.least_side:
            return []
        if width >= height:
            return [(0, step * i, height, step) for i in range(count)]
        return [(step * i, 0, step, width) for i in range(count)]


@dataclass(frozen=True)
class Gemma3:
    """Tiles of an image: the settings of pixels, the size of a tile, and pan and scan."""

    preparation: Preparation = field(default_factory=lambda: Preparation(filter="bilinear", mean=HALF, std=HALF))
    tile: Size = (896, 896)
    scan: PanAndScan | None = None

    def plan(self, height: int, width: int) -> Plan:
        """The whole image first, then its crops."""
        crops = [] if self.scan is None else self.scan.crops(height, width)
        if any(top >= height or left >= width for top, left, _, _ in crops):
            raise ValueError("a crop lies beyond the image")
        parts = [Part(self.tile, region=_inside(crop, height, width)) for crop in crops]
        return Plan(self.tile, (Part(self.tile), *parts))


def _inside(crop: tuple[int, int, int, int], height: int, width: int) -> tuple[int, int, int, int]:
    top, left, down, across = crop
    return top, left, min(down, height - top), min(across, width - left)


_PUBLISHED = Gemma3()
for _backend in ("torchvision", "pil"):
    register_tiles(
        "gemma3",
        _PUBLISHED,
        _backend,
        "Gemma 3 still images to one tile",
        processor("Gemma3ImageProcessor", _PUBLISHED.preparation, size={"height": 896, "width": 896}),
    )
