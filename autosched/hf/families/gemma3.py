"""Gemma 3."""

from __future__ import annotations

import math
from typing import Any, Final

from autosched.hf.arguments import NotCoveredError
from autosched.hf.family import Arguments, Batch, Family
from autosched.hf.forms import supports
from autosched.vlm.gemma3 import Gemma3, PanAndScan


class Gemma3Family(Family):
    """A tile for each image, and for each of its crops."""

    summary = "Gemma 3 tiles"

    def __init__(self, arguments: Arguments) -> None:
        if not arguments.flag("do_resize"):
            raise NotCoveredError("do_resize is off")
        scan = None
        if arguments.flag("do_pan_and_scan"):
            ratio = arguments.get("pan_and_scan_min_ratio_to_activate")
            if not isinstance(ratio, (int, float)) or not math.isfinite(ratio):
                raise NotCoveredError(f"pan_and_scan_min_ratio_to_activate is {ratio!r}")
            scan = PanAndScan(
                arguments.positive_int("pan_and_scan_min_crop_size"),
                arguments.positive_int("pan_and_scan_max_num_crops"),
                ratio,
            )
        self.planner = Gemma3(arguments.preparation(), arguments.box(), scan)

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values of all tiles, and num_crops of each image."""
        plans = batch.plans(self.planner.plan)
        return {
            "pixel_values": batch.listed(batch.tiles(self.planner.preparation, plans)),
            "num_crops": [plan.tiles - 1 for plan in plans],
        }


_METHODS: Final = ("pan_and_scan", "pan_and_scan_batched", "_process_images_for_pan_and_scan")
SUPPORT: Final = supports("gemma3", "Gemma3ImageProcessor", Gemma3Family, _METHODS)
