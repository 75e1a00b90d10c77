"""Qwen2.5-VL: the implementations that are compared."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from autosched.vlm.qwen_vl import Reference
from experiments.environment import package_version
from experiments.implementation import Images, Implementation, NotAvailableError, Output, Run
from experiments.schedules import Chooser, bind, fingerprint, forced, named
from experiments.workloads import Workload

ORACLES: Final[dict[Reference, str]] = {"torchvision": "hf-torchvision", "pil": "hf-pil"}


def processor(workload: Workload, reference: Reference) -> Any:
    """Hugging Face's processor with the published settings and the limits of a workload."""
    try:
        import transformers
    except ImportError as error:
        raise NotAvailableError("transformers is not installed; pip install 'autosched[hf]'") from error
    transformers.utils.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    if int(transformers.__version__.partition(".")[0]) >= 5:
        name = {"torchvision": "Qwen2VLImageProcessor", "pil": "Qwen2VLImageProcessorPil"}[reference]
    else:
        name = {"torchvision": "Qwen2VLImageProcessorFast", "pil": "Qwen2VLImageProcessor"}[reference]
    # Versions differ in which of these they listen to.
    limits = {"shortest_edge": workload.min_pixels, "longest_edge": workload.max_pixels}
    return getattr(transformers, name)(size=limits, min_pixels=workload.min_pixels, max_pixels=workload.max_pixels)


def _hugging_face(reference: Reference) -> Callable[[Workload, int], Run]:
    def make(workload: Workload, threads: int) -> Run:
        original = processor(workload, reference)
        return lambda images: dict(original(list(images), return_tensors="pt"))

    return make


def _accelerated(reference: Reference, choose: Chooser | None) -> Callable[[Workload, int], Run]:
    def make(workload: Workload, threads: int) -> Run:
        import autosched

        accelerated = autosched.accelerate(processor(workload, reference), threads=threads)

        def run(images: Images) -> Output:
            with forced(choose):
                output = dict(accelerated(list(images), return_tensors="pt"))
            explanation = accelerated.autosched_explain()
            if not explanation.accelerated:
                raise NotAvailableError(str(explanation))
            return output

        return run

    return make


def _kernels(reference: Reference, choose: Chooser | None) -> Callable[[Workload, Images, int], str]:
    def kernels(workload: Workload, images: Images, threads: int) -> str:
        with forced(choose):
            return fingerprint(bind(workload, images, reference, threads)[0])

    return kernels


def _rust(workload: Workload, threads: int) -> Run:
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


def _ours(
    name: str,
    title: str,
    reference: Reference = "torchvision",
    schedule: str | None = None,
    redundant_with: str = "",
) -> Implementation:
    choose = named(schedule) if schedule else None
    return Implementation(
        name,
        title,
        ORACLES[reference],
        _accelerated(reference, choose),
        kernels=_kernels(reference, choose),
        redundant_with=redundant_with,
    )


_ALL = (
    Implementation("hf-torchvision", "Hugging Face, torchvision", "hf-torchvision", _hugging_face("torchvision")),
    Implementation("hf-pil", "Hugging Face, PIL", "hf-pil", _hugging_face("pil")),
    Implementation(
        "hf-processors-rs",
        "hf-processors-rs",
        "hf-torchvision",
        _rust,
        exact=False,
        note=lambda: f"version {package_version('hf-processors-rs')}",
    ),
    _ours("autosched-v1", "autosched v1, naive", schedule="v1"),
    _ours("autosched-v2", "autosched v2, pointwise fused", schedule="v2"),
    _ours("autosched-v3", "autosched v3, fully fused", schedule="v3"),
    _ours("autosched-default", "autosched, built-in default", schedule="default", redundant_with="autosched"),
    _ours("autosched", "autosched, as found on this CPU"),
    _ours("autosched-pil", "autosched, PIL reference", reference="pil"),
)

#: By name, in the order of tables.
IMPLEMENTATIONS: Final = {implementation.name: implementation for implementation in _ALL}

#: What everything is compared to: always measured, in every run.
BASELINES: Final = ("hf-torchvision", "hf-pil", "hf-processors-rs")
