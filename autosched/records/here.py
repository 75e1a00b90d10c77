"""The key of a pipeline on this machine, in this process, and what a record that is made here is made by."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version

import autosched
from autosched.lang import Pipeline
from autosched.lang.fingerprint import fingerprint as algorithm
from autosched.records.model import BucketKey, CpuKey, Key, Origin
from autosched.runtime.cpu import fingerprint
from autosched.workload import Bucket


def key_here(pipeline: Pipeline, bucket: Bucket, threads: int) -> Key:
    """What a record's key must be to be an exact answer here and now."""
    return Key(
        algorithm=algorithm(pipeline),
        autosched=autosched.__version__,
        cpu=CpuKey.of(fingerprint()),
        threads=threads,
        bucket=BucketKey.of(bucket),
    )


def origin_here() -> Origin:
    """Now, with the versions that are installed."""
    return Origin(
        when=datetime.now(UTC).replace(microsecond=0),
        python=platform.python_version(),
        numba=version("numba"),
        llvmlite=version("llvmlite"),
    )
