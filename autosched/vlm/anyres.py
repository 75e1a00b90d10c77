"""LLaVA-NeXT and LLaVA-OneVision: a thumbnail, then tiles of the image inside the canvas that suits it best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from autosched.vlm.parts import Part, Plan
from autosched.vlm.passes import Canvas
from autosched.vlm.preparation import HALF, Preparation
from autosched.vlm.sizes import Size, best_resolution, centred, fitted, inside
from autosched.vlm.tile_family import processor, register_tiles


@dataclass(frozen=True)
class AnyRes:
    """Tiles of an image.

    Attributes:
        preparation: the settings of pixels.
        resolutions: heights and widths of canvases.
        tile: side of the squares that a canvas is cut into; those at its edges may be smaller.
        thumbnail: height and width of the whole image before its tiles.
        size: what every tile is resized to after that, by its sides; None leaves it.
        crop: height and width that are cut out of the middle of every tile at last; None for all of it.
        colour: of the square that an image is placed in where it is not cut into tiles.
    """

    preparation: Preparation = field(default_factory=Preparation)
    resolutions: Sequence[Sequence[int]] = ()
    tile: int = 336
    thumbnail: Size = (336, 336)
    size: Mapping[str, int] | None = None
    crop: Size | None = None
    colour: tuple[int, ...] = (0, 0, 0)

    def plan(self, height: int, width: int) -> Plan:
        """Thumbnail and tiles of an image of height x width pixels."""
        canvas = best_resolution(height, width, self.resolutions)
        size = inside(height, width, canvas)
        origin = -((canvas[0] - size[0]) // 2), -((canvas[1] - size[1]) // 2)
        square = (self.tile, self.tile)
        shape, _, _ = self._finished(square)
        whole = canvas[0] % self.tile == 0 and canvas[1] % self.tile == 0
        if whole and shape == square and self._resized(square) == square:
            tiles = [Part(size, (canvas[0] // self.tile, canvas[1] // self.tile), origin)]
        else:
            tiles = [
                self._piece((top, left, min(self.tile, canvas[0] - top), min(self.tile, canvas[1] - left)),
                            Canvas(size, origin, canvas), shape)
                for top in range(0, canvas[0], self.tile)
                for left in range(0, canvas[1], self.tile)
            ]  # fmt: skip
        _, resized, first = self._finished(self.thumbnail, shape)
        via = () if resized == self.thumbnail else (Canvas(self.thumbnail),)
        return Plan(shape, (Part(resized, origin=first, via=via), *tiles))

    def square(self, height: int, width: int) -> Plan:
        """The one tile of an image among several of a sample."""
        side = max(height, width)
        shape, resized, origin = self._finished((side, side))
        return Plan(shape, (Part(resized, origin=origin, square=self.colour),))

    def _piece(self, box: tuple[int, int, int, int], canvas: Canvas, shape: Size) -> Part:
        """One tile that is resized or cropped once more."""
        _, resized, origin = self._finished(box[2:], shape)
        return Part(resized, origin=origin, via=(canvas,), region=box)

    def _resized(self, tile: Size) -> Size:
        return tile if self.size is None else fitted(*tile, self.size)

    def _finished(self, tile: Size, wanted: Size | None = None) -> tuple[Size, Size, Size]:
        """What a tile ends as: its shape, the size it is resized to, and where the crop begins; ValueError if it is not
        `wanted`.
        """
        resized = self._resized(tile)
        shape = resized if self.crop is None else self.crop
        if wanted not in (None, shape):
            raise ValueError(f"a tile of {shape} does not stack with those of {wanted}")
        origin = (0, 0) if self.crop is None else centred(resized, self.crop, self.preparation.reference)
        return shape, resized, origin


#: The canvases of LLaVA 1.6, and those of LLaVA-OneVision: up to 6 x 6 tiles.
NEXT_RESOLUTIONS: Final = [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]]
ONEVISION_RESOLUTIONS: Final = [[384 * rows, 384 * columns] for rows in range(1, 7) for columns in range(1, 7)]

_NEXT = AnyRes(Preparation(), NEXT_RESOLUTIONS, 336, (336, 336), {"shortest_edge": 336}, (336, 336))
_ONEVISION = AnyRes(
    Preparation(mean=HALF, std=HALF), ONEVISION_RESOLUTIONS, 384, (384, 384), {"height": 384, "width": 384}
)
for _backend in ("torchvision", "pil"):
    register_tiles(
        "llava-next",
        _NEXT,
        _backend,
        "LLaVA-NeXT (1.6) still images to a thumbnail and tiles",
        processor(
            "LlavaNextImageProcessor",
            _NEXT.preparation,
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
        ),
    )
    register_tiles(
        "llava-onevision",
        _ONEVISION,
        _backend,
        "LLaVA-OneVision still images to a thumbnail and tiles",
        processor("LlavaOnevisionImageProcessor", _ONEVISION.preparation),
    )
