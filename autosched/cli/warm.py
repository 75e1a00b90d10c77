"""`autosched warm NAME`: compile now what the first calls would."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from autosched.cli.console import err, out, say
from autosched.cli.options import Name, Threads, thread_count

if TYPE_CHECKING:
    from autosched.cli.samples import Sampled
    from autosched.vlm.registry import KernelFamily


def warm(name: Name, threads: Threads = None) -> None:
    """Compile the kernels of the usual workloads into the cache directory, so that no first request waits for them.

    For `autosched.load`, and for Hugging Face's processors of this model that are installed, in every layout of images.
    """
    from autosched.cache import cache_directory
    from autosched.cli.samples import choose, sample, space_of
    from autosched.vlm.registry import get

    count = thread_count(threads)
    family = get(name)
    begin = time.monotonic()
    for spec in choose(space_of(family), [], None):
        with err().status(f"{name}, {spec.name}: compiling"):
            _warm(family, sample(family, spec, None), count)
    out().print(f"{name} is compiled in {cache_directory()}, {time.monotonic() - begin:.1f} s", soft_wrap=True)


def _warm(family: KernelFamily, sampled: Sampled, threads: int) -> None:
    from autosched.hf import accelerate
    from autosched.hf.warm import warm
    from autosched.vlm.load import load

    load(family.name, bucket=sampled.bucket.name, threads=threads)(list(sampled.images), **sampled.settings)
    for backend, make in family.processors.items():
        try:
            processor = make(sampled.settings)
        except ImportError as error:
            say(f"the processor of {backend} is left out: {error.name or error} is not installed")
            continue
        sizes = list(dict.fromkeys((image.height, image.width) for image in sampled.images))
        warm(accelerate(processor, threads=threads, dtype=family.dtype), sizes)
