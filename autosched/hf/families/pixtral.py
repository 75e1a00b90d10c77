"""Pixtral and Mistral 3."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from autosched.hf.arguments import NotCoveredError
from autosched.hf.family import Arguments, Batch, Family
from autosched.hf.forms import supports
from autosched.imaging.byte_table import CHANNELS
from autosched.vlm.pixtral import Pixtral


class PixtralFamily(Family):
    """One tile an image, padded to the largest of the batch."""

    summary = "Pixtral tiles"

    def __init__(self, arguments: Arguments) -> None:
        if arguments.flag("do_center_crop"):
            raise NotCoveredError("do_center_crop is set")
        if arguments.generation < 5 and arguments.get("disable_grouping"):
            raise NotCoveredError("disable_grouping is set")
        largest = None
        if arguments.flag("do_resize"):
            size = arguments.size()
            if "longest_edge" in size:
                largest = size["longest_edge"], size["longest_edge"]
            elif size.keys() == {"height", "width"}:
                largest = size["height"], size["width"]
            else:
                raise NotCoveredError(f"size has {sorted(size)}")
        patch = arguments.get("patch_size")
        box = (patch, patch) if type(patch) is int and patch > 0 else arguments.box("patch_size")
        self.planner = Pixtral(arguments.preparation(), largest, box)
        self.pads = arguments.flag("do_pad") or not _pads_on_demand(arguments.processor)
        self.slow = arguments.slow

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values padded with zeros at the bottom and the right, and image_sizes without that."""
        plans = batch.plans(self.planner.plan)
        sizes = [plan.tile for plan in plans]
        if not self.pads:
            outs = [self.planner.preparation.empty((1, CHANNELS, *size)) for size in sizes]
            batch.run(self.planner.preparation, plans, outs)
            return {"pixel_values": [batch.wrap(out[0]) for out in outs], "image_sizes": self._shapes(batch, sizes)}
        height, width = (max(side) for side in zip(*sizes, strict=True))
        out = self.planner.preparation.empty((len(sizes), CHANNELS, height, width))
        for image, size in zip(out, sizes, strict=True):
            image[:, size[0] :] = 0
            image[:, : size[0], size[1] :] = 0
        batch.run(
            self.planner.preparation,
            plans,
            [out[i : i + 1, :, : size[0], : size[1]] for i, size in enumerate(sizes)],
        )
        values = batch.listed(out) if self.slow else batch.wrap(out)
        return {"pixel_values": values, "image_sizes": self._shapes(batch, sizes)}

    def _shapes(self, batch: Batch, sizes: list[tuple[int, int]]) -> list[Any]:
        if batch.reference == "pil":
            return sizes
        import torch

        return [torch.Size(size) for size in sizes]


def _pads_on_demand(processor: Any) -> bool:
    """Whether a processor listens to `do_pad`; those of 4.57 and of the first releases of 5 always pad."""
    return "do_pad" in _parameters(getattr(type(processor), "_preprocess", None))


@lru_cache(maxsize=16)
def _parameters(function: Callable[..., Any] | None) -> frozenset[str]:
    return frozenset() if function is None else frozenset(inspect.signature(function).parameters)


SUPPORT: Final = supports("pixtral", "PixtralImageProcessor", PixtralFamily, ("_pad_for_batching", "pad"))
