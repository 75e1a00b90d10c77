"""Qwen2.5-VL: images within limits of pixels, cut into patches; and its videos."""

from __future__ import annotations

from typing import Any

from autosched.vlm.preparation import Reference
from experiments.family import COMMON, FAMILIES, USUAL, Family, load_class
from experiments.workloads import Workload


def _processor(workload: Workload, reference: Reference) -> Any:
    # Versions differ in which of these they listen to.
    limits = {"shortest_edge": workload.min_pixels, "longest_edge": workload.max_pixels}
    make = load_class("Qwen2VLImageProcessor", reference)
    return make(size=limits, min_pixels=workload.min_pixels, max_pixels=workload.max_pixels)


FAMILIES.add(
    Family(
        "qwen2.5-vl",
        "Qwen2.5-VL",
        _processor,
        implementations=(*USUAL, "hf-processors-rs"),
        workloads=(*COMMON, "1920x1080-max1003520", "3840x2160", "3840x2160-max1003520", "w2"),
        kernel="qwen2.5-vl",
    )
)
