"""Where a whole call of an accelerated processor spends its time, part by part."""

from __future__ import annotations

import mmap
import resource
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from autosched.hf.images import as_hwc
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
    "new output": "allocating the output and faulting its pages in",
    "rest": "Hugging Face's handling of arguments, wrapping the result",
    WHOLE: "all of it, from PIL images to tensors",
}


def measure(workload: Workload, threads: int, rounds: Rounds) -> dict[str, list[float]]:
    """Seconds of every part in every round; what is left of the whole call is `rest`."""
    limit_torch(threads)
    images = workload.images()
    run = IMPLEMENTATIONS["autosched"].make(workload, threads)
    calls, out = bind(workload, images, "torchvision")
    jobs: dict[str, Job] = {
        "pixels": lambda: [as_hwc(image) for image in images],
        "bind": lambda: bind(workload, images, "torchvision"),
        "kernel": lambda: run_calls(calls, threads),
        "new output": lambda: _new(out.nbytes),
        WHOLE: lambda: run(images),
    }
    for job in jobs.values():
        job()
    times = interleave(jobs, rounds)
    times["bind"] = [both - pixels for both, pixels in zip(times["bind"], times["pixels"], strict=True)]
    parts = [times[name] for name in PARTS if name in times and name != WHOLE]
    times["rest"] = [whole - sum(others) for whole, *others in zip(times[WHOLE], *parts, strict=True)]
    return {name: times[name] for name in PARTS}


def faults(workload: Workload, threads: int) -> int:
    """Page faults of one whole call after others: what the output costs besides being written."""
    images = workload.images()
    run = IMPLEMENTATIONS["autosched"].make(workload, threads)
    for _ in range(3):
        run(images)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    run(images)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _new(nbytes: int) -> npt.NDArray[np.uint8]:
    """A new array of which each page was written to."""
    out = np.empty(nbytes, np.uint8)
    out[:: mmap.PAGESIZE] = 0
    return out
