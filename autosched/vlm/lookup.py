"""Looking up the schedule that was tuned for a pipeline on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autosched.errors import ScheduleError
from autosched.lang import Pipeline
from autosched.schedule import Schedule
from autosched.workload import Bucket

if TYPE_CHECKING:
    from autosched.records import Answer


def tuned(pipeline: Pipeline, bucket: Bucket, threads: int) -> Answer:
    """What the tuned records say; `schedule` is None where the built-in default is all there is."""
    from autosched.records import find, key_here  # pydantic, which only a lookup needs

    def legal(schedule: Schedule) -> str | None:
        try:
            schedule.check(pipeline)
        except ScheduleError as error:
            return str(error)
        return None

    return find(key_here(pipeline, bucket, threads), pipeline.name, legal)
