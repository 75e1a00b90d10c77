"""What results of 16 bits save: drop-ins of Qwen2.5-VL for each type, and Hugging Face's own result brought to it.

Whole calls from decoded images to tensors. The first image of every workload is compared bit for bit before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from autosched.hf import accelerate
from experiments.exactness import InexactError
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.implementation import NotAvailableError
from experiments.intervals import median, ratio_of_medians
from experiments.timing import interleave
from experiments.torch_threads import limit_torch
from experiments.workloads import WORKLOADS, Workload

_WORKLOADS: Final = ("1920x1080", "1920x1080-max1003520", "w2")
_OURS: Final = ("float32", "bfloat16", "float16")
_THEIRS: Final = "hf-torchvision, bfloat16"
_SECONDS = 10.0


def cases(selection: Selection) -> Iterator[Case]:
    """A case a workload and number of threads, of one family."""
    if selection.implementations or (selection.families and "qwen2.5-vl" not in selection.families):
        return
    for threads in selection.threads:
        for name in selection.workloads or _WORKLOADS:
            subjects = (*_OURS, _THEIRS)
            yield Case("qwen2.5-vl", name, threads, subjects, partial(_measure, WORKLOADS[name], threads), _SECONDS)


def _measure(workload: Workload, threads: int, effort: Effort) -> Iterator[Number]:
    try:
        import torch
        from transformers import Qwen2VLImageProcessor
    except ImportError as error:
        raise NotAvailableError(f"{error.name} is not installed") from error
    limit_torch(threads)
    processor = Qwen2VLImageProcessor(
        size={"shortest_edge": workload.min_pixels, "longest_edge": workload.max_pixels},
        min_pixels=workload.min_pixels,
        max_pixels=workload.max_pixels,
    )
    images = workload.images()

    def call(fast: Any) -> Any:
        return fast(images, return_tensors="pt")

    def cast() -> Any:
        return processor(images, return_tensors="pt").to(torch.bfloat16)

    jobs: dict[str, Callable[[], object]] = {_THEIRS: cast}
    for name in _OURS:
        effort.say(f"compiling {name}")
        fast = accelerate(processor, threads=threads, dtype=name)
        expected = processor(images[:1], return_tensors="pt")["pixel_values"].to(getattr(torch, name))
        if not torch.equal(fast(images[:1], return_tensors="pt")["pixel_values"], expected):
            raise InexactError(f"{name} gives other bits than .to({name})")
        jobs[name] = partial(call, fast)
    for job in jobs.values():
        job()
    times = interleave(jobs, effort.rounds, lambda n: effort.say(f"round {n}"))
    for name, seconds in times.items():
        yield Number(name, "time", median([1000 * s for s in seconds]), "ms", repeats=len(seconds))
        for against in ("float32", _THEIRS):
            ratio = ratio_of_medians(times[against], seconds)
            yield Number(name, "speedup", ratio, "x", against=against, repeats=len(seconds))


EXPERIMENTS.add(
    Experiment(
        "half",
        "Results of 16 bits",
        "What does writing bfloat16 or float16 instead of float32 save?",
        cases,
    )
)
