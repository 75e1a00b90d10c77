"""What a family is: a model's preprocessing, by Hugging Face and by us, and what it is measured on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import autosched
from autosched.vlm.preparation import Reference
from experiments.implementation import Images, NotAvailableError, Output, Run
from experiments.registry import Registry
from experiments.workloads import Workload

#: What families with a processor of Hugging Face are measured with.
USUAL: Final = (
    "hf-torchvision",
    "hf-pil",
    "hf-compiled",
    "autosched-v1",
    "autosched-v2",
    "autosched-v3",
    "autosched-default",
    "autosched",
    "autosched-pil",
)
#: Sizes that every family meets.
COMMON: Final = ("640x480", "w1", "1920x1080", "photographs", "w3", "w4")


def no_processor(workload: Workload, reference: Reference) -> Any:
    """For families that have none."""
    raise NotAvailableError("Hugging Face has no processor of this family")


@dataclass(frozen=True)
class Family:
    """The preprocessing of a model.

    Attributes:
        name: as `autosched.load` knows it, where it does.
        title: as in tables and figures.
        processor: Hugging Face's processor with the published settings and the limits of a workload, for a backend.
            Raises NotAvailableError.
        implementations: names of those that it is measured with.
        baselines: names of those that others are compared to; the first is the main one.
        workloads: names of what it is measured on.
        arguments: of a call, beside the images.
        images: the name of the argument that images go to.
        accelerated: what runs our kernels for a backend on a number of threads, where that is not
            `autosched.accelerate` of the processor.
        kernel: the name in autosched's registry whose space and workloads ablations use, "" where there is none.
    """

    name: str
    title: str
    processor: Callable[[Workload, Reference], Any] = no_processor
    implementations: tuple[str, ...] = USUAL
    baselines: tuple[str, ...] = ("hf-torchvision", "hf-pil")
    workloads: tuple[str, ...] = COMMON
    arguments: Mapping[str, Any] = field(default_factory=dict)
    images: str = "images"
    accelerated: Callable[[Workload, Reference, int], Run] | None = None
    kernel: str = ""

    def call(self, processor: Any, images: Images) -> Output:
        """What a processor makes of images, as torch's tensors."""
        given = {self.images: list(images) if self.images == "images" else [list(images)]}
        return dict(processor(**given, **self.arguments, return_tensors="pt"))

    def ours(self, workload: Workload, reference: Reference, threads: int) -> Run:
        """What runs our kernels. A call that falls back to Hugging Face's code raises NotAvailableError."""
        if self.accelerated is not None:
            return self.accelerated(workload, reference, threads)
        processor = autosched.accelerate(self.processor(workload, reference), threads=threads)

        def run(images: Images) -> Output:
            output = self.call(processor, images)
            explanation = processor.autosched_explain()
            if not explanation.accelerated:
                raise NotAvailableError(str(explanation))
            return output

        return run


#: All families, in the order of tables.
FAMILIES: Final[Registry[Family]] = Registry("family", "experiments.families")


def hugging_face(name: str, **settings: Any) -> Callable[[Workload, Reference], Any]:
    """What makes transformers' processor of a class, as 5.x calls its torchvision form, of either generation."""

    def make(workload: Workload, reference: Reference) -> Any:
        return load_class(name, reference)(**settings)

    return make


def transformers_module() -> Any:
    """transformers, without its warnings. Raises NotAvailableError."""
    try:
        import transformers
    except ImportError as error:
        raise NotAvailableError("transformers is not installed; pip install 'autosched[hf]'") from error
    transformers.utils.logging.set_verbosity_error()
    return transformers


def load_class(name: str, reference: Reference) -> Any:
    """The class of a backend, whatever the installed transformers calls it. Raises NotAvailableError."""
    transformers = transformers_module()
    old = int(transformers.__version__.partition(".")[0]) < 5
    suffix = {"torchvision": "Fast" if old else "", "pil": "" if old else "Pil"}[reference]
    try:
        return getattr(transformers, name + suffix)
    except (AttributeError, ImportError) as error:
        raise NotAvailableError(f"transformers {transformers.__version__} has no {name + suffix}") from error
