"""LLaVA-NeXT and LLaVA-OneVision."""

from __future__ import annotations

from typing import Any, Final

from autosched.hf.arguments import NotCoveredError
from autosched.hf.family import Arguments, Batch, Family
from autosched.hf.forms import supports
from autosched.imaging.byte_table import CHANNELS
from autosched.vlm.anyres import AnyRes
from autosched.vlm.parts import Part, Plan


class AnyResFamily(Family):
    """LLaVA-NeXT."""

    summary = "LLaVA-NeXT tiles"

    def __init__(self, arguments: Arguments) -> None:
        size = arguments.size()
        resolutions = arguments.get("image_grid_pinpoints")
        if not isinstance(resolutions, list) or not all(_is_pair(pair) for pair in resolutions):
            raise NotCoveredError(f"image_grid_pinpoints is {resolutions!r}")
        if size.keys() not in ({"height", "width"}, {"shortest_edge"}):
            raise NotCoveredError(f"size has {sorted(size)}")
        cropped = arguments.box("crop_size") if arguments.get("crop_size") is not None else None
        crops = arguments.flag("do_center_crop")
        if cropped is None and (crops or self.needs_crop(arguments)):
            raise NotCoveredError("crop_size is None")
        sides = (size["height"], size["width"]) if "height" in size else (size["shortest_edge"],) * 2
        self.planner = AnyRes(
            arguments.preparation(),
            resolutions,
            sides[0] if cropped is None else cropped[0],
            self.thumbnail(arguments, sides),
            size if arguments.flag("do_resize") else None,
            cropped if crops else None,
            self.colour(arguments),
        )
        self.pads = arguments.flag("do_pad")
        self.slow = arguments.slow
        self.fast4 = arguments.fast4

    def needs_crop(self, arguments: Arguments) -> bool:
        """Whether the side of a tile is only known from the crop."""
        return arguments.slow

    def thumbnail(self, arguments: Arguments, sides: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the thumbnail."""
        return (min(sides), min(sides)) if arguments.slow else sides

    def colour(self, arguments: Arguments) -> tuple[int, ...]:
        """The colour of squares."""
        return (0, 0, 0)

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values, a row of tiles for each image, and the images' image_sizes."""
        return self.rows(batch, batch.plans(self.planner.plan))

    def rows(self, batch: Batch, plans: list[Plan]) -> dict[str, Any]:
        """The outputs of plans."""
        if self.slow and any(_size(part)[0] in (1, CHANNELS) for plan in plans for part in plan.parts[1:]):
            raise NotCoveredError("an image is resized to so few rows that they are read as channels")
        if self.fast4 and not batch.stacked:
            raise NotCoveredError("return_tensors is None")
        if len({plan.tile for plan in plans}) > 1:
            raise NotCoveredError("images have results of different sizes")
        counts = [plan.tiles for plan in plans]
        sizes = [image.shape[:2] for image in batch.images]
        if not self.pads and len(set(counts)) > 1:
            if batch.stacked:
                raise NotCoveredError("images have different numbers of tiles and do_pad is off")
            outs = [self.planner.preparation.empty((count, CHANNELS, *plans[0].tile)) for count in counts]
            batch.run(self.planner.preparation, plans, outs)
            return {"pixel_values": [batch.wrap(out) for out in outs], "image_sizes": sizes}
        out = self.planner.preparation.empty((len(plans), max(counts), CHANNELS, *plans[0].tile))
        for row, count in zip(out, counts, strict=True):
            row[count:] = 0
        batch.run(self.planner.preparation, plans, [row[:count] for row, count in zip(out, counts, strict=True)])
        return {"pixel_values": batch.listed(out), "image_sizes": sizes}


class OnevisionFamily(AnyResFamily):
    """LLaVA-OneVision: samples of several images have one tile for each."""

    summary = "LLaVA-OneVision tiles"
    samples = True

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        self.given = arguments.get("batch_num_images")

    def needs_crop(self, arguments: Arguments) -> bool:
        """The slow processor of 4.57 has no crop."""
        return False

    def thumbnail(self, arguments: Arguments, sides: tuple[int, int]) -> tuple[int, int]:
        """As large as a tile."""
        return sides

    def colour(self, arguments: Arguments) -> tuple[int, ...]:
        """The processor's own mean, whatever the argument says."""
        mean = arguments.processor.image_mean
        if not isinstance(mean, (list, tuple)) or len(mean) != CHANNELS or not all(0 <= m < 256 / 255 for m in mean):
            raise NotCoveredError(f"the processor's image_mean is {mean!r}")
        return tuple(int(m * 255) for m in mean)

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """As LLaVA-NeXT's, and batch_num_images."""
        samples = batch.extra[0] if batch.extra else self.given
        if not isinstance(samples, list) or sum(samples) != len(batch.images):
            raise NotCoveredError(f"{len(batch.images)} images are samples of {samples}")
        alone = iter([count == 1 for count in samples for _ in range(count)])
        plans = batch.plans(lambda h, w: self.planner.plan(h, w) if next(alone) else self.planner.square(h, w))
        return {**self.rows(batch, plans), "batch_num_images": samples}


def _size(part: Part) -> tuple[int, int]:
    """Height and width of an image in its canvas."""
    return part.via[0].size if part.via else part.size


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and all(type(v) is int and v > 0 for v in value)


_METHODS: Final = ("center_crop", "_get_image_patches", "get_image_patches", "_pad_for_patching", "_pad_for_batching",
                   "_resize_for_patching", "_get_padding_size", "pad_to_square", "pad")  # fmt: skip
SUPPORT: Final = (
    *supports("llava_next", "LlavaNextImageProcessor", AnyResFamily, _METHODS),
    *supports("llava_onevision", "LlavaOnevisionImageProcessor", OnevisionFamily, _METHODS),
)
