"""Videos to patches: every frame is resized like an image, and a patch holds the same place of several frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Call, default_threads, run_calls
from autosched.vlm.passes import best_schedule
from autosched.vlm.patches import PatchSettings
from autosched.vlm.sizes import Size

#: Frames, uint8 [T, H, W, C].
Video: TypeAlias = npt.NDArray[np.uint8]


def patch_grid(frames: int, size: Size, patch: int, temporal: int) -> tuple[int, int, int]:
    """Patches of a video of frames of `size`: in time (the last frame repeated to fill them), rows and columns."""
    return -(-frames // temporal), size[0] // patch, size[1] // patch


def run_videos(
    settings: PatchSettings,
    videos: Sequence[Video],
    sizes: Sequence[Size],
    outs: Sequence[npt.NDArray[Any]],
    threads: int | None = None,
) -> None:
    """Resizes, normalises and cuts the frames of every video into patches.

    Args:
        settings: how, of moving frames.
        videos: uint8 ``[T, H, W, C]`` with C >= 3 of any strides; the first three channels are read.
        sizes: what the frames of each video are resized to, multiples of patch x merge.
        outs: of the preparation's dtype, ``[gt * gh * gw, 3 * frames * patch * patch]`` for each video, C-contiguous.
        threads: upper bound of the threads used, None for the default.
    """
    workers = default_threads() if threads is None else threads
    calls: list[Call] = []
    for video, size, out in zip(videos, sizes, outs, strict=True):
        _, height, width, _ = video.shape
        schedule = best_schedule(settings.algorithm(height, width, size), video[0], size, workers)
        rows = math.prod(patch_grid(1, size, settings.patch, settings.frames))
        for index, frames in enumerate(_groups(video[..., :CHANNELS], settings.frames)):
            calls.append(settings.bind(frames, size, out[index * rows : (index + 1) * rows], schedule))
    run_calls(calls, workers)


def _groups(video: Video, count: int) -> Iterator[Video]:
    """The frames of each patch; the last frame is repeated where some are left over."""
    for first in range(0, len(video), count):
        group = video[first : first + count]
        missing = count - len(group)
        yield np.concatenate([group, np.repeat(group[-1:], missing, axis=0)]) if missing else group
