"""Classic image algorithms, written as a user would write them: every schedule equals the interpreter."""

from __future__ import annotations

import numpy as np
import pytest
from classics import APPS
from kernels import same

from autosched.lang import interpret
from autosched.runtime import Kernel
from autosched.schedule import Schedule

CASES = [(app, name) for app, make in APPS.items() for name in make().schedules]


@pytest.mark.parametrize(("app", "name"), CASES)
def test_equals_the_interpreter(app: str, name: str) -> None:
    made = APPS[app]()
    kernel = Kernel(made.pipeline, made.schedules[name])
    for size in ((37, 53), (64, 48), (1, 1), (3, 100), (90, 2)):
        shape = (*size, 3) if made.colours else size
        image = np.random.default_rng(size[0]).integers(0, 256, shape, dtype=np.uint8)
        expected = interpret(made.pipeline, shape, {"image": image})
        assert same(kernel(shape=shape, threads=2, image=image), expected)


@pytest.mark.parametrize(("app", "name"), CASES)
def test_schedules_survive_json(app: str, name: str) -> None:
    made = APPS[app]()
    schedule = made.schedules[name]
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert schedule.show(made.pipeline).startswith(f"pipeline {made.pipeline.name}:")
