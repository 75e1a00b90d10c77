"""Videos to patches: every frame is resized like an image, and a patch holds the same place of several frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Call, default_threads, run_calls
from autosched.vlm.passes import BUCKETS, measures
from autosched.vlm.patches import NAMED, PatchSettings
from autosched.vlm.photographs import specimens
from autosched.vlm.preparation import HALF
from autosched.vlm.qwen_vl import QwenVL
from autosched.vlm.registry import KernelFamily, name_of, register
from autosched.vlm.sizes import Size
from autosched.workload import Binding, Workload

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
        rows = math.prod(patch_grid(1, size, settings.patch, settings.frames))
        for index, frames in enumerate(_groups(video[..., :CHANNELS], settings.frames)):
            calls.append(settings.bind(frames, size, out[index * rows : (index + 1) * rows], workers))
    run_calls(calls, workers)


def _groups(video: Video, count: int) -> Iterator[Video]:
    """The frames of each patch; the last frame is repeated where some are left over, in a copy of the same layout."""
    for first in range(0, len(video), count):
        group = video[first : first + count]
        missing = count - len(group)
        yield np.concatenate([group, np.repeat(group[-1:], missing, axis=0)]) if missing else group


def _workload(settings: QwenVL, images: Sequence[Any], limits: Mapping[str, Any]) -> Workload:
    """The calls that preprocess PIL images as frames, those of one size as one video, from planes of channels."""
    by_size: dict[tuple[int, int], list[npt.NDArray[np.uint8]]] = {}
    for image in images:
        by_size.setdefault(image.size, []).append(np.asarray(image.convert("RGB")))
    made: list[Binding] = []
    checks: list[Binding] = []
    stretch: list[float] = []
    for frames in by_size.values():
        video = _planar(np.stack(frames))
        _, height, width, _ = video.shape
        size = settings.smart_resize(height, width, int(limits["min_pixels"]), int(limits["max_pixels"]))
        groups = list(_groups(video, settings.temporal_patch_size))
        made += [_binding(settings, group, size) for group in groups]
        checks.append(_small(settings, groups[0], size))
        stretch += [measures(group, size)["stretch"] for group in groups]
    spread = {"stretch": float(np.median(stretch))}
    return Workload("frames", tuple(made), spread, items=len(images), checks=lambda: tuple(checks[:_CHECKS]))


def _planar(video: Video) -> Video:
    """The same pixels, in memory as video processors get them: [T, C, H, W]."""
    return np.ascontiguousarray(video.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)


def _binding(settings: QwenVL, frames: Video, size: Size) -> Binding:
    chosen = replace(settings.settings, moving=True)
    rows = np.broadcast_to(np.zeros((), settings.dtype.dtype), (settings.rows([size]), settings.row_length))
    return Binding(chosen.arguments(chosen.resizing, frames, size), chosen.view(rows, size).shape)


def _small(settings: QwenVL, frames: Video, size: Size) -> Binding:
    """The call of a corner of frames that is resized by about the same ratio: the interpreter is slow."""
    shrink = max(1.0, max(size) / _CHECKED_SIDE)
    height, width = (max(8, int(side / shrink)) for side in frames.shape[1:3])
    rows, columns = (max(1, round(side / shrink / settings.factor)) * settings.factor for side in size)
    return _binding(settings, _planar(frames[:, :height, :width]), (rows, columns))


#: Calls that are checked against the interpreter, and the longer side of what their frames are resized to, in pixels.
_CHECKS, _CHECKED_SIDE = 2, 120

#: Settings and limits of pixels of a frame, as published with the checkpoints.
_PUBLISHED: Final = {
    "qwen2-vl": (QwenVL(), (128 * 28**2, 768 * 28**2), "Qwen2-VL"),
    "qwen2.5-vl": (QwenVL(), (128 * 28**2, 768 * 28**2), "Qwen2.5-VL"),
    "qwen3-vl": (QwenVL(patch_size=16, mean=HALF, std=HALF), (128 * 32**2, 768 * 32**2), "Qwen3-VL"),
}


def _family(name: str, settings: QwenVL, pixels: tuple[int, int], title: str) -> KernelFamily:
    algorithm = replace(settings.settings, moving=True).resizing
    return KernelFamily(
        name=name_of(f"{name}-video", settings.preparation),
        summary=f"{title} frames of videos to patches, bit for bit as transformers' video processor",
        pipeline=algorithm.pipeline,
        schedules={key: partial(make, algorithm) for key, make in NAMED.items()},
        specimens=specimens,
        workload=partial(_workload, settings),
        settings={"min_pixels": pixels[0], "max_pixels": pixels[1]},
        buckets=BUCKETS,
        space="qwen2.5-vl-video.toml",
        dtype=settings.dtype,
        rounded=lambda dtype: _family(name, replace(settings, dtype=dtype), pixels, title),
    )


for _name, _settings in _PUBLISHED.items():
    register(_family(_name, *_settings))
