"""The key of a pipeline on this machine, in this process, its answer, and what a record made here is made by."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version

import autosched
from autosched.lang import Pipeline
from autosched.lang.fingerprint import fingerprint as algorithm
from autosched.records.lookup import Answer
from autosched.records.model import BucketKey, CpuKey, Key, Origin
from autosched.records.store import find
from autosched.runtime.cpu import fingerprint
from autosched.threads import checked
from autosched.workload import ANY, Bucket


def key_here(pipeline: Pipeline, bucket: Bucket, threads: int) -> Key:
    """What a record's key must be to be an exact answer here and now."""
    return Key(
        algorithm=algorithm(pipeline),
        autosched=autosched.__version__,
        cpu=CpuKey.of(fingerprint()),
        threads=threads,
        bucket=BucketKey.of(bucket),
    )


def tuned(pipeline: Pipeline, *, bucket: Bucket | None = None, threads: int | None = None) -> Answer:
    """What tuned records say of a pipeline on this machine: what `autosched tune FILE.py:NAME` found for it.

    `schedule` of the answer is the tuned one, None where nothing is known; `explain()` says which record it is from,
    and which field of the key failed on nearer ones. `bucket` is the one of a Task whose workload has measures;
    `threads` is what the kernel will run on, by default all CPUs that this process may use. Nothing is searched for
    and nothing timed. Raises ArgumentError for what is no number of threads.

    >>> from autosched.lang import Func, Input, Pipeline, u8, variables
    >>> y, x = variables("y x")
    >>> image, negative = Input("image", u8, 2), Func("negative")
    >>> negative[y, x] = 255 - image[y, x]
    >>> tuned(Pipeline(negative, "negative")).rung
    'built-in default'
    """
    key = key_here(pipeline, bucket or ANY, checked(threads))
    return find(key, pipeline.name, lambda schedule: schedule.problem(pipeline))


def origin_here() -> Origin:
    """Now, with the versions that are installed."""
    return Origin(
        when=datetime.now(UTC).replace(microsecond=0),
        python=platform.python_version(),
        numba=version("numba"),
        llvmlite=version("llvmlite"),
    )
