"""The key of a pipeline on this machine, in this process."""

from __future__ import annotations

import autosched
from autosched.lang import Pipeline
from autosched.lang.fingerprint import fingerprint as algorithm
from autosched.records.model import BucketKey, CpuKey, Key
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
