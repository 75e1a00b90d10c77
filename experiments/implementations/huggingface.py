"""Hugging Face's own processors, and the torchvision one under torch.compile."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

from autosched.vlm.preparation import Reference
from experiments.family import Family
from experiments.implementation import IMPLEMENTATIONS, Images, Implementation, NotAvailableError, Output, Run
from experiments.workloads import Workload

#: Workloads of one size each.
_COMPILED_FOR: Final = ("w1", "w4", "tiny")


def _backend(reference: Reference) -> Callable[[Family, Workload, int], Run]:
    def make(family: Family, workload: Workload, threads: int) -> Run:
        processor = family.processor(workload, reference)
        return lambda images: family.call(processor, images)

    return make


def _compiled(family: Family, workload: Workload, threads: int) -> Run:
    """What torch's compiler makes of the computation between decoding arguments and wrapping the result.

    Sizes are constants of the compiled code, which is what makes it fast; sizes that come anew compile anew.
    """
    try:
        import torch
    except ImportError as error:
        raise NotAvailableError("torch is not installed") from error
    if workload.name not in _COMPILED_FOR:
        raise NotAvailableError("torch.compile takes 10 to 30 s a size, so it is measured on some workloads only")
    processor = family.processor(workload, "torchvision")
    processor._preprocess = torch.compile(processor._preprocess, dynamic=False)

    def run(images: Images) -> Output:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return family.call(processor, images)

    return run


IMPLEMENTATIONS.add(
    Implementation("hf-torchvision", "Hugging Face, torchvision", "hf-torchvision", _backend("torchvision"))
)
IMPLEMENTATIONS.add(Implementation("hf-pil", "Hugging Face, PIL", "hf-pil", _backend("pil")))
IMPLEMENTATIONS.add(
    Implementation(
        "hf-compiled",
        "Hugging Face, torch.compile",
        "hf-torchvision",
        _compiled,
        exact=False,
        sizes_are_code=True,
    )
)
