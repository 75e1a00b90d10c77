"""hf-processors-rs: Qwen2-VL's processor in Rust."""

from __future__ import annotations

from experiments.environment import package_version
from experiments.family import Family
from experiments.implementation import IMPLEMENTATIONS, Implementation, Run
from experiments.optional import library
from experiments.workloads import Workload


def _rust(family: Family, workload: Workload, threads: int) -> Run:
    rust = library("hf_processors_rs", "hf-processors-rs", "hf-processors-rs")
    settings = {
        "image_processor_type": "Qwen2VLImageProcessor",
        "size": {"shortest_edge": workload.min_pixels, "longest_edge": workload.max_pixels},
    }
    native = rust.AutoImageProcessor.from_dict(settings)
    return lambda images: dict(native(list(images), return_tensors="pt", num_threads=threads))


IMPLEMENTATIONS.add(
    Implementation(
        "hf-processors-rs",
        "hf-processors-rs",
        "hf-torchvision",
        _rust,
        exact=False,
        note=lambda: f"version {package_version('hf-processors-rs')}",
    )
)
