"""CLIP, SigLIP and LLaVA: one tile an image, resized to a fixed size, a side or a crop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autosched.vlm.parts import Part, Plan
from autosched.vlm.preparation import HALF, Preparation
from autosched.vlm.sizes import Size, centred, fitted
from autosched.vlm.tile_family import processor, register_tiles


@dataclass(frozen=True)
class Fixed:
    """One tile an image.

    Attributes:
        preparation: the settings of pixels.
        size: sides by their names, as `sizes.fitted` takes them; None leaves images as large as they are.
        crop: height and width that are cut out of the middle; None for all of it.
        square: colour of a square that images are placed in the middle of first; None leaves them.
    """

    preparation: Preparation = field(default_factory=Preparation)
    size: Mapping[str, int] | None = None
    crop: Size | None = None
    square: tuple[int, ...] | None = None

    def plan(self, height: int, width: int) -> Plan:
        """The tile of an image of height x width pixels."""
        if self.square is not None:
            height = width = max(height, width)
        size = (height, width) if self.size is None else fitted(height, width, self.size)
        if self.crop is None:
            return Plan(size, (Part(size, square=self.square),))
        origin = centred(size, self.crop, self.preparation.reference)
        return Plan(self.crop, (Part(size, origin=origin, square=self.square),))


_CLIP = Fixed(size={"shortest_edge": 336}, crop=(336, 336))
_SIGLIP = Fixed(Preparation(mean=HALF, std=HALF), {"height": 384, "width": 384})
for _backend in ("torchvision", "pil"):
    register_tiles(
        "llava-1.5",
        _CLIP,
        _backend,
        "LLaVA-1.5 (and CLIP of 336 pixels) still images to one tile",
        processor(
            "CLIPImageProcessor",
            _CLIP.preparation,
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
        ),
    )
    register_tiles(
        "siglip",
        _SIGLIP,
        _backend,
        "SigLIP of 384 pixels still images to one tile",
        processor("SiglipImageProcessor", _SIGLIP.preparation, size={"height": 384, "width": 384}),
    )
