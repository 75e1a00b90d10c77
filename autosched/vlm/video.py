"""Videos to patches: every frame is resized like an image, and a patch holds the same place of several frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Call, default_threads, run_calls
from autosched.vlm.parts import Pixels
from autosched.vlm.passes import BUCKETS, Canvas, kernel, measures, pass_arguments
from autosched.vlm.patches import PatchSettings, fused
from autosched.vlm.preparation import Preparation
from autosched.vlm.sizes import Size
from autosched.workload import nearest


def patch_grid(frames: int, size: Size, patch: int, temporal: int) -> tuple[int, int, int]:
    """Patches of a video of frames of `size`: in time (the last frame repeated to fill them), rows and columns."""
    return -(-frames // temporal), size[0] // patch, size[1] // patch


def run_videos(
    preparation: Preparation,
    patch: int,
    merge: int,
    temporal: int,
    videos: Sequence[Sequence[Pixels]],
    sizes: Sequence[Size],
    outs: Sequence[npt.NDArray[Any]],
    threads: int | None = None,
) -> None:
    """Resizes, normalises and cuts the frames of every video into patches.

    Args:
        preparation: the settings of pixels.
        patch, merge, temporal: side of a patch, side of a square of patches, and frames in a patch.
        videos: frames, uint8 ``[H, W, C]`` with C >= 3 of any strides; all of a video of one size.
        sizes: what the frames of each video are resized to, multiples of patch x merge.
        outs: of the preparation's dtype, ``[gt * gh * gw, 3 * temporal * patch * patch]`` for each video, C-contiguous.
        threads: upper bound of the threads used, None for the default.
    """
    workers = default_threads() if threads is None else threads
    settings = PatchSettings(preparation, patch, merge, 1)
    calls: list[Call] = []
    for frames, size, out in zip(videos, sizes, outs, strict=True):
        gt = patch_grid(len(frames), size, patch, temporal)[0]
        square = patch * merge
        whole = out.reshape(gt, size[0] // square, size[1] // square, merge, merge, CHANNELS, temporal, patch, patch)
        for index in range(gt * temporal):
            frame = frames[min(index, len(frames) - 1)][:, :, :CHANNELS]
            t = index % temporal
            algorithm = settings.algorithm(frame.shape[0], frame.shape[1], size)
            bucket = nearest(measures(frame, size), BUCKETS)
            assert bucket is not None
            # A frame's rows lie apart in memory, so putting squares together in the cache first would win nothing.
            chosen = kernel(algorithm, fused(algorithm, bucket))
            target = whole[index // temporal, ..., t : t + 1, :, :]
            calls.append(chosen.bind(out=target, **pass_arguments(algorithm, preparation, frame, Canvas(size))))
    run_calls(calls, workers)
