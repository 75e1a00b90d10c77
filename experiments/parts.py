"""Where a whole call of an accelerated processor spends its time, part by part."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from autosched.hf.images import as_pixels
from autosched.runtime import run_calls
from experiments.qwen_vl import IMPLEMENTATIONS
from experiments.schedules import bind
from experiments.timing import Job, Rounds, interleave
from experiments.torch_threads import limit_torch
from experiments.workloads import Workload

WHOLE: Final = "whole call"

#: The parts, in the order in which a call goes through them, and what each is.
PARTS: Final[Mapping[str, str]] = {
    "pixels": "reading Pillow's pixels",
    "bind": "sizes, tables and arguments of the kernels",
    "kernel": "the kernels, into an output that is in memory",
    "new output": "what the kernels take longer where the output is new: its pages are faulted in and zeroed",
    "rest": "Hugging Face's handling of arguments, wrapping the result",
    WHOLE: "all of it, from PIL images to tensors",
}


def measure(workload: Workload, threads: int, rounds: Rounds) -> dict[str, float]:
    """Seconds of every part, in the least disturbed round of each of the jobs that they are differences of."""
    limit_torch(threads)
    images = workload.images()
    run = IMPLEMENTATIONS["autosched"].make(workload, threads)
    calls, kept = bind(workload, images, "torchvision", threads)

    def without_hugging_face() -> npt.NDArray[np.float32]:
        calls, out = bind(workload, images, "torchvision", threads)
        run_calls(calls, threads)
        return out

    jobs: dict[str, Job] = {
        "pixels": lambda: [as_pixels(image) for image in images],
        "bound": lambda: bind(workload, images, "torchvision", threads),
        "kernel": lambda: run_calls(calls, threads),
        "direct": without_hugging_face,
        WHOLE: lambda: run(images),
    }
    kept.fill(0)
    for job in jobs.values():
        job()
    least = {name: min(seconds) for name, seconds in interleave(jobs, rounds).items()}
    return {
        "pixels": least["pixels"],
        "bind": least["bound"] - least["pixels"],
        "kernel": least["kernel"],
        "new output": least["direct"] - least["kernel"] - least["bound"],
        "rest": least[WHOLE] - least["direct"],
        WHOLE: least[WHOLE],
    }


def faults(workload: Workload, threads: int) -> int:
    """Page faults of one whole call after others: what the output costs besides being written."""
    images = workload.images()
    run = IMPLEMENTATIONS["autosched"].make(workload, threads)
    for _ in range(3):
        run(images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    run(images)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
