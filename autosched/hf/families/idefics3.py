"""Idefics3 and SmolVLM."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import numpy as np

from autosched.hf.arguments import NotCoveredError
from autosched.hf.family import Arguments, Batch, Family
from autosched.hf.forms import supports
from autosched.hf.results import warn_once
from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import empty
from autosched.vlm.idefics3 import Idefics3

T = TypeVar("T")


class Idefics3Family(Family):
    """Tiles in samples, padded to the sample with the most."""

    summary = "Idefics3 tiles"
    nested = True
    slow_converts = False
    slow_channels = (1, CHANNELS, 4)

    def __init__(self, arguments: Arguments) -> None:
        if not arguments.flag("do_pad"):
            raise NotCoveredError("do_pad is off")
        if arguments.slow and arguments.get("return_tensors") is None:
            raise NotCoveredError("return_tensors is None")
        size = None
        if arguments.flag("do_resize"):
            size = arguments.size()
            if "longest_edge" not in size and size.keys() != {"height", "width"}:
                raise NotCoveredError(f"size has {sorted(size)}")
        tile = arguments.size("max_image_size")
        if "longest_edge" not in tile:
            raise NotCoveredError(f"max_image_size has {sorted(tile)}")
        self.fast4 = arguments.fast4
        lanczos = getattr(arguments.get("interpolation"), "value", None) == "lanczos"
        #: What warns that it is bicubic instead.
        self.warns = arguments.processor.autosched_original_class.resize if lanczos else None
        self.planner = Idefics3(
            arguments.preparation(floats=self.fast4), tile["longest_edge"], size, arguments.flag("do_image_splitting")
        )
        self.with_grids = arguments.flag("return_row_col_info")

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values [sample, tile, 3, y, x] and pixel_attention_mask, zeros where a sample has fewer tiles."""
        if 0 in (batch.nesting or ()):
            raise NotCoveredError("a sample has no images")  # some versions drop it, others fail
        plans = batch.plans(self.planner.plan)
        if self.warns is not None:
            warn_once(self.warns, "LANCZOS")
        samples = _nested([plan.tiles for plan in plans], batch)
        most, tile = max(sum(sample) for sample in samples), plans[0].tile
        out = self.planner.preparation.empty((len(samples), most, CHANNELS, *tile))
        mask = empty((len(samples), most, *tile), np.float32 if self.fast4 else np.int64)
        outs = []
        for index, sample in enumerate(samples):
            first = 0
            for count in sample:
                outs.append(out[index, first : first + count])
                first += count
            out[index, first:] = 0
            mask[index, :first], mask[index, first:] = 1, 0
        batch.run(self.planner.preparation, plans, outs)
        return {"pixel_values": batch.wrap(out), "pixel_attention_mask": batch.wrap(mask)}

    def finish(self, encoding: Any, batch: Batch) -> Any:
        """Adds rows and cols, which never become tensors."""
        if self.with_grids:
            grids = _nested([self.planner.grid(*image.shape[:2]) for image in batch.images], batch)
            encoding["rows"] = [[rows for rows, _ in sample] for sample in grids]
            encoding["cols"] = [[columns for _, columns in sample] for sample in grids]
        return encoding


def _nested(values: Iterable[T], batch: Batch) -> list[list[T]]:
    """A value for each image, as samples."""
    left = iter(values)
    return [[next(left) for _ in range(count)] for count in batch.nesting or (1,) * len(batch.images)]


_METHODS: Final = ("split_images", "split_image", "resize_for_vision_encoder", "pad", "_pad_image")
SUPPORT: Final = (
    *supports("idefics3", "Idefics3ImageProcessor", Idefics3Family, _METHODS),
    *supports("smolvlm", "SmolVLMImageProcessor", Idefics3Family, _METHODS),
)
