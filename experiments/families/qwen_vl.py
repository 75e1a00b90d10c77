"""Qwen2.5-VL: images within limits of pixels, cut into patches; and its videos."""

from __future__ import annotations

from typing import Any

from autosched.vlm.preparation import Reference
from experiments.family import COMMON, FAMILIES, USUAL, Family, load_class, transformers_module
from experiments.implementation import NotAvailableError
from experiments.workloads import Workload


def _processor(workload: Workload, reference: Reference) -> Any:
    # Versions differ in which of these they listen to.
    limits = {"shortest_edge": workload.min_pixels, "longest_edge": workload.max_pixels}
    make = load_class("Qwen2VLImageProcessor", reference)
    return make(size=limits, min_pixels=workload.min_pixels, max_pixels=workload.max_pixels)


def _video_processor(workload: Workload, reference: Reference) -> Any:
    """Frames come decoded and chosen; limits are of one frame, as with images."""
    if reference != "torchvision":
        raise NotAvailableError("transformers has video processors of one kind only")
    limits = {"shortest_edge": workload.min_pixels, "longest_edge": workload.max_pixels * len(workload.sizes)}
    return transformers_module().Qwen2VLVideoProcessor(size=limits)


FAMILIES.add(
    Family(
        "qwen2.5-vl",
        "Qwen2.5-VL",
        _processor,
        implementations=(*USUAL, "hf-processors-rs", "halide", "halide-adams2019", "opencv", "kornia-rs"),
        workloads=(*COMMON, "1920x1080-max1003520", "3840x2160", "3840x2160-max1003520", "w2"),
        kernel="qwen2.5-vl",
    )
)
FAMILIES.add(
    Family(
        "qwen2.5-vl-video",
        "Qwen2.5-VL video",
        _video_processor,
        implementations=("hf-torchvision", "autosched"),
        baselines=("hf-torchvision",),
        workloads=("video64",),
        arguments={"do_sample_frames": False},
        images="videos",
    )
)
