"""`autosched.load`: the kernel of a name under the schedule that was tuned for this machine."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError, AutoschedError
from autosched.lang import Pipeline
from autosched.lang.types import result_type
from autosched.records import Answer
from autosched.runtime import Kernel, run_calls
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule
from autosched.threads import checked, counted
from autosched.vlm.lookup import tuned
from autosched.vlm.registry import KernelFamily, get, in_type
from autosched.workload import Bucket, nearest


@dataclass(frozen=True)
class Tuned:
    """A kernel family on this machine: what was found for one bucket and number of threads.

    Called with images it computes them; `kernel` is for those who bind arrays themselves.
    """

    family: KernelFamily
    pipeline: Pipeline
    bucket: Bucket
    threads: int
    answer: Answer

    def __repr__(self) -> str:
        return f"<Tuned {self.family.name}, {self.bucket.name}, {counted(self.threads)}: {self.answer.rung}>"

    @property
    def schedule(self) -> Schedule:
        """The tuned schedule, or the built-in default where no record answers."""
        return self.answer.schedule or self.family.schedules["default"](self.bucket)

    @cached_property
    def kernel(self) -> Kernel:
        """The pipeline under the schedule. Machine code is made or loaded when arrays are first bound."""
        return compile_kernel(self.pipeline, self.schedule)

    def __call__(self, images: Sequence[Any], **settings: Any) -> list[npt.NDArray[Any]]:
        """What the model gets of each image, one array each, run as one batch.

        Images are Pillow's, or arrays uint8 ``[H, W, 3]``, of any sizes: each runs under the schedule that is tuned for
        its bucket. Patches are ``[patches, values of one]``, tiles ``[tiles, 3, height, width]``. Kernels of videos
        take the frames of one, or a list of such lists. `settings` change the family's, such as ``max_pixels``.

        Raises ArgumentError for what is no image, for settings that the family does not have, and for images that the
        model does not take, such as one that is 200 times as wide as high, in the words of Hugging Face's processor.
        """
        if not isinstance(images, (list, tuple)):
            raise ArgumentError(f"images must be a list of images, not a {type(images).__name__}{_in_a_list(images)}")
        if not images:
            raise ArgumentError("images must be a list of images, not an empty one")
        known = self.family.settings
        unknown = sorted(settings.keys() - known.keys())
        if unknown:
            hint = "; give dtype to autosched.load" if "dtype" in unknown else ""
            raise ArgumentError(
                f"{self.family.name} has no setting {', '.join(unknown)}; it has {', '.join(known) or 'none'}{hint}"
            )
        try:
            return self._computed(images, {**known, **settings})
        except AutoschedError:
            raise
        except ValueError as error:
            raise ArgumentError(str(error)) from error

    def _computed(self, images: Sequence[Any], settings: Mapping[str, Any]) -> list[npt.NDArray[Any]]:
        if self.family.compute is not None:
            return self.family.compute(images, settings, self.threads)
        made = self.family.workload(images, settings)
        calls = [self.kernel.bind(shape=b.shape, **b.given) for b in made.bindings]
        run_calls(calls, self.threads)
        return [call.out for call in calls]

    def explain(self) -> str:
        """Which rung of the lookup ladder answered, and which field of the key failed on the others."""
        head = f"{self.family.name}, bucket {self.bucket.name}, {counted(self.threads)}"
        return f"{head}\n{self.answer.explain()}"

    def at(self, measures: Mapping[str, float]) -> Tuned:
        """The same for the bucket that `measures` fall into; itself where that is its own."""
        bucket = nearest(measures, self.family.buckets) or self.bucket
        return self if bucket == self.bucket else _found(self.family, self.pipeline, bucket, self.threads)


def _in_a_list(images: object) -> str:
    """What to give instead, where `images` is one image or an array of several."""
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return "; give list(images)"
    is_image = isinstance(images, np.ndarray) or hasattr(images, "convert")
    return "; give [image]" if is_image else ""


def load(name: str, *, bucket: str | None = None, threads: int | None = None, dtype: object = None) -> Tuned:
    """The kernel called `name`, with the schedule tuned for this CPU or, where there is none, the built-in default.

    `bucket` is one of the family's, the most common where it is None; `threads` what the kernel will run on, by default
    all CPUs that this process may use. `dtype` is the type of the values, float32, float16 or bfloat16 of torch or
    numpy or its name; numpy does not have bfloat16, so its arrays are of their bits, uint16. A name that ends with a
    type says the same: "qwen2.5-vl-bf16". Nothing is searched for and nothing timed.

    Raises ArgumentError, with near names, where `name`, `bucket` or `dtype` is unknown.
    """
    family = get(name)
    if dtype is not None:
        family = in_type(family, result_type(dtype))
    chosen = family.buckets[0]
    if bucket is not None:
        known = {b.name: b for b in family.buckets}
        if bucket not in known:
            near = difflib.get_close_matches(bucket, known, n=1)
            hint = f"did you mean {near[0]}? It has" if near else "it has"
            raise ArgumentError(f"{name} has no bucket {bucket!r}; {hint} {', '.join(known)}")
        chosen = known[bucket]
    return _found(family, family.pipeline(), chosen, checked(threads))


def _found(family: KernelFamily, pipeline: Pipeline, bucket: Bucket, threads: int) -> Tuned:
    return Tuned(family, pipeline, bucket, threads, tuned(pipeline, bucket, threads))
