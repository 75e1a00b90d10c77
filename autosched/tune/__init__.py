"""The tuner: search spaces, studies, measuring and the final; one concept a file. Writes its state, and no records.

Uses the runtime and records; knows of no pipeline, no image and no model but what a Task brings.
"""

from autosched.tune.ablation import AblationRow, ablate
from autosched.tune.derive import derive
from autosched.tune.effort import PRESETS, Effort
from autosched.tune.finals import Final, Standing
from autosched.tune.place import state_directory
from autosched.tune.random_inputs import random_workload
from autosched.tune.run import Interrupted, Result, tune
from autosched.tune.session import Progress
from autosched.tune.space import Knob, Space, Template
from autosched.tune.space_file import SpaceFile, WorkloadSpec, load_space
from autosched.tune.study import Outcome, Study, Trial
from autosched.tune.task import Budget, Method, Task

__all__ = [
    "PRESETS",
    "AblationRow",
    "Budget",
    "Effort",
    "Final",
    "Interrupted",
    "Knob",
    "Method",
    "Outcome",
    "Progress",
    "Result",
    "Space",
    "SpaceFile",
    "Standing",
    "Study",
    "Task",
    "Template",
    "Trial",
    "WorkloadSpec",
    "ablate",
    "derive",
    "load_space",
    "random_workload",
    "state_directory",
    "tune",
]
