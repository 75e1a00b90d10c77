"""Video processors of Qwen2-VL, Qwen3-VL, InternVL and LLaVA-OneVision.

Reading, sampling and timestamps stay transformers'; frames come as ``[T, 3, H, W]`` tensors, in 4.57 and 5.x alike.
"""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import Any, Final

import numpy as np

from autosched.hf.arguments import NotCoveredError
from autosched.hf.families.qwen_vl import PatchFamily
from autosched.hf.family import Arguments, Batch, Family, require_columns
from autosched.hf.forms import FamilyDropIn
from autosched.hf.images import is_byte_tensor
from autosched.hf.registry import Support
from autosched.hf.results import warn_once
from autosched.imaging.byte_table import CHANNELS
from autosched.vlm.fixed import Fixed
from autosched.vlm.glm import glm_resize
from autosched.vlm.sizes import Size
from autosched.vlm.video import Video, patch_grid, run_videos


class VideoDropIn(FamilyDropIn):
    """The one form that video processors have."""

    __slots__ = ()
    _autosched_reference = "torchvision"

    def _preprocess(self, videos: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            if args:
                raise NotCoveredError("there are positional arguments after the videos")
            for video in videos:
                _require_frames(video)
            return self._autosched_computed([video.numpy().transpose(0, 2, 3, 1) for video in videos], kwargs)
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
        return self._autosched_rounded(super()._preprocess(videos, *args, **kwargs))  # type: ignore[misc]

    def _autosched_computed(self, videos: list[Video], kwargs: dict[str, Any]) -> Any:
        wanted = kwargs.get("return_tensors")
        self._autosched_require_type(wanted)
        self._autosched_require_methods()
        arguments = Arguments(kwargs, "torchvision", self, 4 if "interpolation" in kwargs else 5)
        return self._autosched_feature(self._autosched_family(arguments), videos, None, wanted)


class VideoTiles(Family):
    """InternVL and LLaVA-OneVision: a tile for each frame."""

    summary = "video tiles"

    def __init__(self, arguments: Arguments) -> None:
        size = arguments.size() if arguments.flag("do_resize") else None
        crop = arguments.box("crop_size") if arguments.flag("do_center_crop") else None
        self.planner = Fixed(arguments.preparation(), size, crop)

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values_videos ``[video, frame, 3, y, x]``."""
        lengths = [len(video) for video in batch.images]
        batch = replace(batch, images=[frame for video in batch.images for frame in video])
        plans = batch.plans(self.planner.plan)
        first = np.cumsum([0, *lengths[:-1]])
        shapes = [(count, CHANNELS, *plans[at].tile) for count, at in zip(lengths, first, strict=True)]
        if batch.stacked and len(set(shapes)) > 1:
            raise NotCoveredError("videos have results of different shapes")
        if batch.stacked:
            whole = self.planner.preparation.empty((len(shapes), *shapes[0]))
            outs = list(whole)
        else:
            outs = [self.planner.preparation.empty(shape) for shape in shapes]
        frames = [out[i : i + 1] for out in outs for i in range(len(out))]
        batch.run(self.planner.preparation, plans, frames)
        return {"pixel_values_videos": batch.wrap(whole) if batch.stacked else [batch.wrap(out) for out in outs]}


class Qwen2Video(PatchFamily):
    """Qwen2-VL: the size rule of images for every frame."""

    title = "Qwen2-VL video"

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        self.generation = arguments.generation
        computing = arguments.processor.autosched_original_class._preprocess
        limited = arguments.flag("cap_pixels_per_frame") and "cap_pixels_per_frame" in signature(computing).parameters
        #: What limits frames besides their pixels, in tokens; 4.57 knows no such limit.
        self.tokens = arguments.processor.max_video_tokens if limited else None
        if arguments.get("cap_pixels_per_frame") is None:
            warn_once(computing, "Pass `cap_pixels_per_frame=True`")
        self.settings = replace(self.kernel.settings, moving=True).shared()

    def frame_size(self, frames: int, image: Any) -> Size:
        """What the frames of a video are resized to: all of them share 90 % of the tokens where those are limited."""
        least, most = self.limits
        if self.tokens is not None:
            budget = int(self.tokens * self.kernel.factor**2 * 0.9)
            most = max(min(most, budget * self.settings.frames // frames), int(least * 1.05))
        return self.within(image, least, most)

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values_videos, rows of patches, and video_grid_thw."""
        kernel, videos, temporal = self.kernel, batch.images, self.settings.frames
        if self.generation < 5 and temporal > 2 and any(len(video) % temporal for video in videos):
            raise NotCoveredError("4.57 cannot fill patches of more than two frames")
        sizes = [self.frame_size(len(video), video[0]) for video in videos]
        if min(min(size) for size in sizes) < kernel.factor:
            raise NotCoveredError("a video would be resized to nothing")
        require_columns(kernel.preparation, sizes)
        grids = [
            patch_grid(len(video), size, kernel.patch_size, temporal) for video, size in zip(videos, sizes, strict=True)
        ]
        counts = [int(np.prod(grid)) for grid in grids]
        out = kernel.preparation.empty((sum(counts), kernel.row_length))
        run_videos(self.settings, videos, sizes, np.split(out, np.cumsum(counts)[:-1]), batch.threads)
        return {
            "pixel_values_videos": batch.wrap(out),
            "video_grid_thw": batch.wrap(np.array(grids, np.int64)),
        }


class Qwen3Video(Qwen2Video):
    """Qwen3-VL: the limits of pixels are of all frames together."""

    title = "Qwen3-VL video"

    def frame_size(self, frames: int, image: Any) -> Size:
        """What the frames of a video are resized to: each has at most the tokens, where those are limited."""
        height, width = image.shape[:2]
        factor, temporal = self.kernel.factor, self.kernel.temporal_patch_size
        least, most = self.limits
        if self.tokens is not None:
            most = frames * max(min(self.tokens * factor**2, most // frames), int(least * 1.05))
        if self.generation < 5 and min(height, width) < factor:
            raise NotCoveredError(f"frames of {width}x{height} pixels have no size in 4.57")
        try:
            return glm_resize(frames, height, width, temporal, factor, least, most)
        except (ValueError, ArithmeticError) as error:
            raise NotCoveredError(f"{frames} frames of {width}x{height} pixels have no size: {error}") from error


def _require_frames(video: Any) -> None:
    if not is_byte_tensor(video):
        raise NotCoveredError(f"a video is {type(video).__name__}, not a plain tensor of bytes on the CPU")
    if video.ndim != 4 or video.shape[1] != CHANNELS or 0 in video.shape:
        raise NotCoveredError(f"a video is {list(video.shape)}")


def _support(model: str, name: str, family: type[Family]) -> Support:
    return Support(
        name=name,
        module=f"transformers.models.{model}.video_processing_{model}",
        base="BaseVideoProcessor",
        mixin=type(f"{family.__name__}DropIn", (VideoDropIn,), {"__slots__": (), "_autosched_family": family}),
        replaced=("_preprocess", "resize", "rescale", "normalize", "rescale_and_normalize"),
        optional=("center_crop", "patchify"),
    )


SUPPORT: Final = (
    _support("qwen2_vl", "Qwen2VLVideoProcessor", Qwen2Video),
    _support("qwen3_vl", "Qwen3VLVideoProcessor", Qwen3Video),
    _support("internvl", "InternVLVideoProcessor", VideoTiles),
    _support("llava_onevision", "LlavaOnevisionVideoProcessor", VideoTiles),
)
