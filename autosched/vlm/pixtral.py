"""Pixtral and Mistral 3: one tile an image, as large as the image allows in whole patches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from autosched.vlm.parts import Part, Plan
from autosched.vlm.preparation import Preparation
from autosched.vlm.sizes import Size
from autosched.vlm.tile_family import processor, register_tiles


@dataclass(frozen=True)
class Pixtral:
    """One tile an image.

    Attributes:
        preparation: the settings of pixels.
        largest: height and width that images are shrunk into; None leaves images as large as they are.
        patch: height and width of a patch; sides are rounded up to whole patches.
    """

    preparation: Preparation = field(default_factory=Preparation)
    largest: Size | None = (1024, 1024)
    patch: Size = (16, 16)

    def size(self, height: int, width: int) -> Size:
        """Height and width of the tile of an image."""
        if self.largest is None:
            return height, width
        ratio = max(height / self.largest[0], width / self.largest[1])
        if ratio > 1:
            height, width = math.floor(height / ratio), math.floor(width / ratio)
        # Integer arithmetic, as it is published: an image that has shrunk to nothing has no patches.
        rows, columns = (height - 1) // self.patch[0] + 1, (width - 1) // self.patch[1] + 1
        return rows * self.patch[0], columns * self.patch[1]

    def plan(self, height: int, width: int) -> Plan:
        """The tile of an image of height x width pixels."""
        size = self.size(height, width)
        return Plan(size, (Part(size),))


_PIXTRAL, _MISTRAL = Pixtral(), Pixtral(largest=(1540, 1540), patch=(14, 14))
for _backend in ("torchvision", "pil"):
    for _name, _settings, _title in (("pixtral", _PIXTRAL, "Pixtral"), ("mistral3", _MISTRAL, "Mistral Small 3.1")):
        register_tiles(
            _name,
            _settings,
            _backend,
            f"{_title} still images to one tile of whole patches",
            processor(
                "PixtralImageProcessor",
                _settings.preparation,
                size={"longest_edge": _settings.largest[0] if _settings.largest else 1024},
                patch_size={"height": _settings.patch[0], "width": _settings.patch[1]},
            ),
        )
