"""Runs an accelerated Qwen-VL processor under a schedule of our choice, instead of the one that the library finds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.hf.images import as_hwc
from autosched.runtime import Call
from autosched.schedule import Schedule
from autosched.vlm.patches import NAMED, PatchAlgorithm, bucket_of, default_schedule
from autosched.vlm.qwen_vl import QwenVL, Reference
from experiments.implementation import Images
from experiments.workloads import Workload

Pixels: TypeAlias = Sequence[npt.NDArray[np.uint8]]
#: From an algorithm, the width of an image and the width that it is resized to.
Chooser: TypeAlias = Callable[[PatchAlgorithm, int, int], Schedule]


def named(name: str) -> Chooser:
    """The chooser of a named schedule; `default` is the built-in one."""
    if name == "default":
        return default_schedule
    make: Callable[..., Schedule] = NAMED[name]

    def choose(algorithm: PatchAlgorithm, in_width: int, out_width: int) -> Schedule:
        return make(algorithm, bucket_of(in_width, out_width)) if name == "v3" else make(algorithm)

    return choose


@contextmanager
def forced(choose: Chooser | None) -> Iterator[None]:
    """While it is entered, Qwen-VL processors take their schedules from `choose`; None changes nothing."""
    if choose is None:
        yield
        return
    library = QwenVL.calls

    def calls(
        self: QwenVL,
        images: Pixels,
        sizes: Sequence[tuple[int, int]],
        out: npt.NDArray[np.float32],
        schedule: Schedule | None = None,
    ) -> list[Call]:
        bound: list[Call] = []
        first = 0
        for image, size in zip(images, sizes, strict=True):
            last = first + self.rows([size])
            height, width = image.shape[:2]
            chosen = schedule or choose(self.settings.algorithm(height, width, size), width, size[1])
            bound += library(self, [image], [size], out[first:last], chosen)
            first = last
        return bound

    QwenVL.calls = calls  # type: ignore[method-assign]
    try:
        yield
    finally:
        QwenVL.calls = library  # type: ignore[method-assign]


def bind(workload: Workload, images: Images, reference: Reference) -> tuple[list[Call], npt.NDArray[np.float32]]:
    """The bound calls that the processor of a workload makes for the images, and the new output that they write."""
    kernel = QwenVL(reference)
    limits = workload.min_pixels, workload.max_pixels
    pixels = [as_hwc(image) for image in images]
    sizes = [kernel.smart_resize(image.shape[0], image.shape[1], *limits) for image in pixels]
    out = np.empty((kernel.rows(sizes), kernel.row_length), np.float32)
    return kernel.calls(pixels, sizes, out), out


def fingerprint(calls: Sequence[Call]) -> str:
    """A short name of the compiled kernels of calls: other source or another compiler gives another name."""
    names = sorted({call.built.path.name for call in calls})
    return hashlib.sha256("\n".join(names).encode()).hexdigest()[:12]
