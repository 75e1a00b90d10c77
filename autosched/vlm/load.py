"""`autosched.load`: the kernel of a name under the schedule that was tuned for this machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.lang import Pipeline
from autosched.lang.types import result_type
from autosched.records import Answer
from autosched.runtime import Kernel, default_threads, run_calls
from autosched.runtime import compile as compile_kernel
from autosched.schedule import Schedule
from autosched.vlm.lookup import tuned
from autosched.vlm.registry import KernelFamily, get, in_type
from autosched.workload import Bucket, nearest


@dataclass(frozen=True)
class Tuned:
    """A kernel family on this machine: what was found for one bucket and number of threads.

    Called with images it computes them; `kernel` is what does it, for those who bind arrays themselves.
    """

    family: KernelFamily
    pipeline: Pipeline
    bucket: Bucket
    threads: int
    answer: Answer

    @property
    def schedule(self) -> Schedule:
        """The tuned schedule, or the built-in default where no record answers."""
        return self.answer.schedule or self.family.schedules["default"](self.bucket)

    @cached_property
    def kernel(self) -> Kernel:
        """The pipeline under the schedule. Machine code is made or loaded when arrays are first bound."""
        return compile_kernel(self.pipeline, self.schedule)

    def __call__(self, images: Sequence[Any], **settings: Any) -> list[npt.NDArray[Any]]:
        """The outputs for images of Pillow, one array each, run as one batch; `settings` change the family's."""
        made = self.family.workload(images, {**self.family.settings, **settings})
        calls = [self.kernel.bind(shape=b.shape, **b.given) for b in made.bindings]
        run_calls(calls, self.threads)
        return [call.out for call in calls]

    def explain(self) -> str:
        """Which rung of the lookup ladder answered, and which field of the key failed on the others."""
        head = f"{self.family.name}, bucket {self.bucket.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{head}\n{self.answer.explain()}"

    def at(self, measures: Mapping[str, float]) -> Tuned:
        """The same for the bucket that `measures` fall into; itself where that is its own."""
        bucket = nearest(measures, self.family.buckets) or self.bucket
        return self if bucket == self.bucket else _found(self.family, self.pipeline, bucket, self.threads)


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
            raise ArgumentError(f"{name} has no bucket {bucket!r}; it has {', '.join(known)}")
        chosen = known[bucket]
    count = default_threads() if threads is None else threads
    if count < 1:
        raise ArgumentError(f"threads is {threads}; it must be at least 1")
    return _found(family, family.pipeline(), chosen, count)


def _found(family: KernelFamily, pipeline: Pipeline, bucket: Bucket, threads: int) -> Tuned:
    return Tuned(family, pipeline, bucket, threads, tuned(pipeline, bucket, threads))
