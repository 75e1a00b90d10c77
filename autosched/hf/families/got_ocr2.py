"""GOT-OCR2, the class of InternVL3 and 3.5."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from autosched.hf.arguments import NotCoveredError
from autosched.hf.family import Arguments, Batch, Family
from autosched.hf.forms import supports
from autosched.vlm.internvl import InternVL


class GotOcr2Family(Family):
    """Tiles in a grid and a thumbnail, or one tile."""

    summary = "InternVL tiles"

    def __init__(self, arguments: Arguments) -> None:
        crop = arguments.flag("crop_to_patches")
        if not arguments.flag("do_resize"):
            raise NotCoveredError("do_resize is off")
        if arguments.flag("do_center_crop") or arguments.flag("do_pad"):
            raise NotCoveredError("do_center_crop or do_pad is set")
        least, most = (arguments.positive_int(name) if crop else 1 for name in ("min_patches", "max_patches"))
        if arguments.reference == "pil" and most == 1:
            crop = False
        preparation = arguments.preparation()
        self.slow = arguments.slow
        if self.slow and crop:
            preparation = replace(preparation, filter="bicubic")  # whatever the argument says
        self.planner = InternVL(preparation, arguments.box(), crop, least, most)

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values of all tiles, and num_patches of each image."""
        plans = batch.plans(self.planner.plan)
        counts = [plan.tiles for plan in plans]
        return {
            "pixel_values": batch.listed(batch.tiles(self.planner.preparation, plans)),
            "num_patches": np.array(counts) if self.slow else counts,
        }


SUPPORT: Final = supports("got_ocr2", "GotOcr2ImageProcessor", GotOcr2Family, ("crop_image_to_patches",))
