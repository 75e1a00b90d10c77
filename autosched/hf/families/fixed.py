"""CLIP, SigLIP and LLaVA: one tile an image."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from autosched.hf.arguments import NotCoveredError
from autosched.hf.family import Arguments, Batch, Family, Replayed
from autosched.hf.forms import supports
from autosched.runtime import Memory
from autosched.vlm.fixed import Fixed
from autosched.vlm.parts import replay


class FixedFamily(Family):
    """CLIP and SigLIP."""

    summary = "one tile an image"
    #: The sizes that the slow processors of 4.57 understand.
    slow_sizes: ClassVar[tuple[set[str], ...]] = ({"shortest_edge"}, {"height", "width"})

    def __init__(self, arguments: Arguments) -> None:
        if arguments.flag("do_pad"):
            raise NotCoveredError("do_pad is set")
        self.planner = self.planned(arguments, None)

    def planned(self, arguments: Arguments, square: tuple[int, ...] | None) -> Fixed:
        """The planner of arguments that all of these have."""
        size = arguments.size() if arguments.flag("do_resize") else None
        if arguments.slow and size is not None and size.keys() not in self.slow_sizes:
            raise NotCoveredError(f"size has {sorted(size)}")
        return Fixed(
            arguments.preparation(),
            size,
            arguments.box("crop_size") if arguments.flag("do_center_crop") else None,
            square,
        )

    def replayed(self, image: Memory, threads: int) -> Replayed | None:
        """As `outputs`."""
        made = replay(self.planner.preparation, image, self.planner.plan(*image.shape[:2]), threads)
        return None if made is None else Replayed("pixel_values", made, {})

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """Only pixel_values."""
        return {"pixel_values": batch.listed(batch.tiles(self.planner.preparation, batch.plans(self.planner.plan)))}


class SiglipFamily(FixedFamily):
    """SigLIP."""

    summary = "SigLIP, one tile an image"
    slow_sizes = ({"height", "width"},)


class LlavaFamily(FixedFamily):
    """LLaVA: `do_pad` places images in a square of the mean colour."""

    summary = "LLaVA, one tile an image"

    def __init__(self, arguments: Arguments) -> None:
        square = None
        if arguments.flag("do_pad"):
            # 4.57 takes the processor's own mean, whatever the argument says.
            mean = arguments.get("image_mean") if arguments.generation >= 5 else arguments.processor.image_mean
            if not isinstance(mean, (list, tuple)) or len(mean) != 3 or not all(0 <= m < 256 / 255 for m in mean):
                raise NotCoveredError(f"image_mean is {mean!r}")
            square = tuple(int(m * 255) for m in mean)
        self.planner = self.planned(arguments, square)


SUPPORT: Final = (
    *supports("clip", "CLIPImageProcessor", FixedFamily, ("center_crop", "pad")),
    *supports("siglip", "SiglipImageProcessor", SiglipFamily, ("center_crop", "pad")),
    *supports("llava", "LlavaImageProcessor", LlavaFamily, ("center_crop", "pad_to_square")),
)
