"""Compiled pipelines in use: Kernel binds arrays and runs ranges on threads; the CPU's fingerprint.

`compile` is the way in. Knows how to run what codegen built, not what it computes.
"""

from autosched.lang.func import Pipeline
from autosched.runtime.bands import Bands, Memory, Rows, cropped
from autosched.runtime.binding import address_of
from autosched.runtime.kernel import Call, Kernel, run_calls
from autosched.runtime.pool import empty, placed, scratch
from autosched.runtime.replay import Replay
from autosched.runtime.template import Missing, Template, template
from autosched.schedule.schedule import Schedule
from autosched.threads import default_threads


def compile(pipeline: Pipeline, schedule: Schedule | None = None) -> Kernel:  # noqa: A001  (what users call it)
    """A Kernel of `pipeline` under `schedule`, the default schedule where None is given.

    Raises ScheduleError where the schedule is not legal. Machine code is made, or loaded from the cache, when arrays
    are first bound, because it depends on their strides.
    """
    return Kernel(pipeline, schedule)


__all__ = [
    "Bands",
    "Call",
    "Kernel",
    "Memory",
    "Missing",
    "Replay",
    "Rows",
    "Template",
    "address_of",
    "compile",
    "cropped",
    "default_threads",
    "empty",
    "placed",
    "run_calls",
    "scratch",
    "template",
]
