"""Idefics3 and SmolVLM: an image is resized twice, as bytes, then cut into tiles; the whole image is the last tile."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from autosched.vlm.parts import Part, Plan
from autosched.vlm.passes import Canvas
from autosched.vlm.preparation import HALF, Preparation
from autosched.vlm.sizes import Size
from autosched.vlm.tile_family import processor, register_tiles

#: No side is larger than this after the first resize.
_LARGEST = 4096


def longest_edge(height: int, width: int, edge: int) -> Size:
    """The size of an image whose longer side becomes `edge` (4096 at most); the other is rounded down and made even."""
    aspect = width / height
    if width >= height:
        height, width = int(edge / aspect), edge
        height += height % 2
    else:
        height, width = edge, int(edge * aspect)
        width += width % 2
    height, width = max(height, 1), max(width, 1)
    aspect = width / height
    if width >= height and width > _LARGEST:
        height, width = int(_LARGEST / aspect), _LARGEST
    elif height > width and height > _LARGEST:
        height, width = _LARGEST, int(_LARGEST * aspect)
    return max(height, 1), max(width, 1)


def whole_tiles(height: int, width: int, tile: int) -> Size:
    """The size in whole tiles that a resized image is brought to: the longer side first, then the other."""
    aspect = width / height
    if width >= height:
        width = math.ceil(width / tile) * tile
        height = math.ceil(int(width / aspect) / tile) * tile
    else:
        height = math.ceil(height / tile) * tile
        width = math.ceil(int(height * aspect) / tile) * tile
    return height, width


@dataclass(frozen=True)
class Idefics3:
    """Tiles of an image.

    Attributes:
        preparation: the settings of pixels.
        tile: side of a tile.
        size: `longest_edge`, or `height` and `width`, of the first resize; None leaves it out.
        split: whether the image is cut into tiles, or becomes one.
    """

    preparation: Preparation = field(default_factory=lambda: Preparation(filter="lanczos", mean=HALF, std=HALF))
    tile: int = 512
    size: Mapping[str, int] | None = field(default_factory=lambda: {"longest_edge": 2048})
    split: bool = True

    def first(self, height: int, width: int) -> Size:
        """The size after the first resize."""
        if self.size is None:
            return height, width
        if "longest_edge" in self.size:
            return longest_edge(height, width, self.size["longest_edge"])
        return self.size["height"], self.size["width"]

    def grid(self, height: int, width: int) -> Size:
        """Rows and columns of tiles; (0, 0) where the image is only one."""
        size = whole_tiles(*self.first(height, width), self.tile) if self.split else (self.tile, self.tile)
        grid = size[0] // self.tile, size[1] // self.tile
        return (0, 0) if grid == (1, 1) else grid

    def plan(self, height: int, width: int) -> Plan:
        """The tiles of an image of height x width pixels."""
        square = (self.tile, self.tile)
        via = _steps((height, width), self.first(height, width))
        grid = self.grid(height, width)
        if grid == (0, 0):
            return Plan(square, (Part(square, via=via),))
        canvas = grid[0] * self.tile, grid[1] * self.tile
        via = (*via, *_steps(self.first(height, width), canvas))
        return Plan(square, (Part(canvas, grid, via=via), Part(square, via=via)))


def _steps(before: Size, after: Size) -> tuple[Canvas, ...]:
    """A resize, or none where nothing changes."""
    return () if before == after else (Canvas(after),)


_IDEFICS, _SMOL = Idefics3(tile=364, size={"longest_edge": 1456}), Idefics3()
for _backend in ("torchvision", "pil"):
    for _name, _settings, _class, _title in (
        ("idefics3", _IDEFICS, "Idefics3ImageProcessor", "Idefics3"),
        ("smolvlm2", _SMOL, "SmolVLMImageProcessor", "SmolVLM2 (256M and 500M)"),
    ):
        register_tiles(
            _name,
            _settings,
            _backend,
            f"{_title} still images to tiles and the whole image",
            processor(
                _class,
                _settings.preparation,
                size=dict(_settings.size or {}),
                max_image_size={"longest_edge": _settings.tile},
            ),
        )
