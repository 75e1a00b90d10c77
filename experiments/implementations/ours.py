"""autosched: named schedules of one algorithm, the built-in default, and what is found on this machine."""

from __future__ import annotations

from collections.abc import Callable

from autosched.vlm.preparation import Reference
from experiments.family import Family
from experiments.implementation import IMPLEMENTATIONS, Images, Implementation, Output, Run
from experiments.schedules import Chooser, forced, named, used
from experiments.workloads import Workload


def _make(reference: Reference, choose: Chooser | None) -> Callable[[Family, Workload, int], Run]:
    def make(family: Family, workload: Workload, threads: int) -> Run:
        run = family.ours(workload, reference, threads)
        if choose is None:
            return run

        def under(images: Images) -> Output:
            with forced(choose):
                return run(images)

        return under

    return make


def _kernels(reference: Reference, choose: Chooser | None) -> Callable[[Family, Workload, Images, int], str]:
    def kernels(family: Family, workload: Workload, images: Images, threads: int) -> str:
        run = family.ours(workload, reference, threads)
        return used(choose, lambda: run(images))

    return kernels


def _add(
    name: str,
    title: str,
    reference: Reference = "torchvision",
    oracle: str = "hf-torchvision",
    schedule: str = "",
    redundant_with: str = "",
) -> None:
    choose = named(schedule) if schedule else None
    IMPLEMENTATIONS.add(
        Implementation(
            name,
            title,
            oracle,
            _make(reference, choose),
            kernels=_kernels(reference, choose),
            redundant_with=redundant_with,
        )
    )


_add("autosched-v1", "autosched v1, naive", schedule="v1")
_add("autosched-v2", "autosched v2, pointwise fused", schedule="v2")
_add("autosched-v3", "autosched v3, fully fused", schedule="v3")
_add("autosched-default", "autosched, built-in default", schedule="default", redundant_with="autosched")
_add("autosched", "autosched, as found on this CPU")
_add("autosched-pil", "autosched, PIL reference", "pil", "hf-pil")
_add("autosched-card", "autosched, model card", "pil", "model-card")
