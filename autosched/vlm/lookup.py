"""Looking up the schedule that was tuned for a pipeline on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autosched.lang import Pipeline
from autosched.schedule import Schedule
from autosched.shipped import tuned_files
from autosched.vlm.registry import users
from autosched.workload import Bucket

if TYPE_CHECKING:
    from autosched.records import Answer


#: Schedules of the nearest records that a search starts from.
SEEDS = 3


def tuned(pipeline: Pipeline, bucket: Bucket, threads: int) -> Answer:
    """What the tuned records say; `schedule` is None where the built-in default is all there is."""
    from autosched.records import find, key_here  # pydantic, which only a lookup needs

    key = key_here(pipeline, bucket, threads)
    return find(key, pipeline.name, lambda schedule: schedule.problem(pipeline), by_bucket=True, kernels=users)


def tuned_schedule(pipeline: Pipeline, bucket: Bucket, threads: int) -> Schedule | None:
    """The schedule of that answer. Where there are no records, nothing is imported to read them."""
    return tuned(pipeline, bucket, threads).schedule if tuned_files(pipeline.name) else None


def neighbours(pipeline: Pipeline, bucket: Bucket, threads: int) -> dict[str, Schedule]:
    """Different schedules of the records that are nearest, by a name that says where each is from."""
    from autosched.records import key_here, nearest

    made: dict[str, Schedule] = {}
    for located in nearest(key_here(pipeline, bucket, threads), pipeline.name, kernels=users):
        record = located.record
        if len(made) < SEEDS and record.schedule not in made.values() and record.schedule.problem(pipeline) is None:
            where = f"{record.key.bucket.name}, {record.key.cpu.fingerprint().cpu_class}, {record.key.threads} threads"
            made[f"record of {where}"] = record.schedule
    return made
