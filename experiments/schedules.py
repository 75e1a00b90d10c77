"""Runs an accelerated Qwen-VL processor under a schedule of our choice, instead of the one that the library finds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.hf.images import as_pixels
from autosched.runtime import Call, empty
from autosched.schedule import Schedule
from autosched.vlm import qwen_vl
from autosched.vlm.passes import BUCKETS, measures
from autosched.vlm.patches import NAMED, PatchAlgorithm
from autosched.vlm.preparation import Reference
from autosched.vlm.qwen_vl import QwenVL
from autosched.workload import nearest
from experiments.implementation import Images
from experiments.workloads import Workload

#: From an algorithm, an image, the size that it is resized to and a number of threads.
Chooser: TypeAlias = Callable[[PatchAlgorithm, npt.NDArray[np.uint8], tuple[int, int], int], Schedule]

_DECIDES: Final = "best_schedule"
"""The function that a processor asks for schedules."""


def named(name: str) -> Chooser:
    """The chooser of a named schedule; `default` is the built-in one."""
    make = NAMED[name]

    def choose(
        algorithm: PatchAlgorithm, image: npt.NDArray[np.uint8], size: tuple[int, int], threads: int
    ) -> Schedule:
        bucket = nearest(measures(image, size), BUCKETS)
        assert bucket is not None
        return make(algorithm, bucket)

    return choose


@contextmanager
def forced(choose: Chooser | None) -> Iterator[None]:
    """While it is entered, Qwen-VL processors of this process take schedules from `choose`; None changes nothing."""
    library = getattr(qwen_vl, _DECIDES)
    setattr(qwen_vl, _DECIDES, choose or library)
    try:
        yield
    finally:
        setattr(qwen_vl, _DECIDES, library)


def bind(
    workload: Workload, images: Images, reference: Reference, threads: int
) -> tuple[list[Call], npt.NDArray[np.float32]]:
    """The bound calls that the processor of a workload makes for the images, and the new output that they write."""
    kernel = QwenVL(reference)
    limits = workload.min_pixels, workload.max_pixels
    pixels = [as_pixels(image) for image in images]
    sizes = [kernel.smart_resize(image.shape[0], image.shape[1], *limits) for image in pixels]
    out = empty((kernel.rows(sizes), kernel.row_length), np.float32)
    return kernel.calls(pixels, sizes, out, threads=threads), out


def fingerprint(calls: Sequence[Call]) -> str:
    """A short name of the compiled kernels of calls: other source or another compiler gives another name."""
    names = sorted({call.built.path.name for call in calls})
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
