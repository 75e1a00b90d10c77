"""Videos to patches: every frame is resized like an image, and a patch holds the same place of several frames."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Bands, Call, default_threads, run_calls
from autosched.vlm.passes import measures
from autosched.vlm.patches import PatchSettings
from autosched.vlm.pillow import given_pixels
from autosched.vlm.qwen_vl import CHECKS, PUBLISHED, QwenVL, checked_sizes, patch_family, pixel_limits
from autosched.vlm.registry import KernelFamily, register
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
    chosen = _moving(settings)
    by_size: dict[tuple[int, int], list[npt.NDArray[np.uint8]]] = {}
    for image in images:
        by_size.setdefault(image.size, []).append(np.asarray(image.convert("RGB")))
    made: list[Binding] = []
    first: list[tuple[Video, Size]] = []
    stretch: list[float] = []
    for frames in by_size.values():
        video = _planar(np.stack(frames))
        _, height, width, _ = video.shape
        size = settings.smart_resize(height, width, *pixel_limits(limits))
        groups = list(_groups(video, chosen.frames))
        made += [chosen.binding(group, size) for group in groups]
        stretch += [measures(group, size)["stretch"] for group in groups]
        first.append((groups[0], size))

    def checks() -> tuple[Binding, ...]:
        return tuple(_small(settings, *each) for each in first[:CHECKS])

    return Workload("frames", tuple(made), {"stretch": float(np.median(stretch))}, items=len(images), checks=checks)


def _outputs(
    settings: QwenVL, images: Sequence[Any], limits: Mapping[str, Any], threads: int
) -> list[npt.NDArray[Any]]:
    """The patches of each video, ``[patches, row_length]``; see `KernelFamily.compute`.

    Images are the frames of a video, or lists of frames of videos.
    """
    chosen = _moving(settings)
    nested = all(isinstance(video, (list, tuple)) for video in images)
    videos = [_frames(video) for video in (images if nested else [images])]
    least, most = pixel_limits(limits)
    sizes = [settings.smart_resize(video.shape[1], video.shape[2], least, most) for video in videos]
    outs = []
    for video, size in zip(videos, sizes, strict=True):
        patches = math.prod(patch_grid(len(video), size, chosen.patch, chosen.frames))
        outs.append(chosen.preparation.empty((patches, settings.row_length)))
    run_videos(chosen, videos, sizes, outs, threads)
    return outs


def _frames(images: Sequence[Any]) -> Video:
    """Images as frames of a video, which have one size."""
    found = [given_pixels(image) for image in images]
    if len({frame.shape for frame in found}) != 1:
        raise ArgumentError("frames of a video must have one size, and there must be some; give a list for each video")
    return np.stack([frame.whole() if isinstance(frame, Bands) else frame for frame in found])


def _moving(settings: QwenVL) -> PatchSettings:
    return replace(settings.settings, moving=True)


def _planar(video: Video) -> Video:
    """The same pixels, in memory as video processors get them: [T, C, H, W]."""
    return np.ascontiguousarray(video.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)


def _small(settings: QwenVL, frames: Video, size: Size) -> Binding:
    """The call of a corner of the same frames."""
    _, height, width, _ = frames.shape
    (height, width), resized = checked_sizes(settings, (height, width), size)
    return _moving(settings).binding(_planar(frames[:, :height, :width]), resized)


def _family(name: str, settings: QwenVL, title: str) -> KernelFamily:
    # Limits of the pixels of a frame, as published with the checkpoints.
    pixels = 128 * settings.factor**2, 768 * settings.factor**2
    return patch_family(
        name,
        _moving(settings),
        pixels,
        summary=f"{title} frames of videos to patches, bit for bit as transformers' video processor",
        workload=partial(_workload, settings),
        compute=partial(_outputs, settings),
        space="qwen2.5-vl-video.toml",
        rounded=lambda dtype: _family(name, settings.prepared(dtype=dtype), title),
    )


for _name, (_settings, _, _title) in PUBLISHED.items():
    register(_family(f"{_name}-video", _settings, _title))
