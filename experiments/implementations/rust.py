"""hf-processors-rs: Qwen2-VL's processor in Rust."""

from __future__ import annotations

from importlib import import_module

from experiments.environment import package_version
from experiments.family import Family
from experiments.implementation import IMPLEMENTATIONS, Implementation, NotAvailableError, Run
from experiments.workloads import Workload


def _rust(family: Family, workload: Workload, threads: int) -> Run:
    try:
        rust = import_module("hf_processors_rs")
    except ImportError as error:
        raise NotAvailableError("hf-processors-rs is not installed; pip install hf-processors-rs") from error
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
