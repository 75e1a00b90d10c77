"""The programs that are compared with Halide: other implementations of them compute the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autosched.lang.interpret import interpret
from autosched.schedule import Schedule
from experiments.apps import elsewhere
from experiments.apps.programs import APPS


@pytest.mark.parametrize("name", ["blur", "unsharp", "matmul", "conv"])
def test_plain_loops_have_the_bits_of_the_program(name: str) -> None:
    """Harris sums in another order there."""
    app = replace(APPS[name], shape=APPS[name].small)
    inputs = app.inputs(app.shape)
    expected = interpret(app.pipeline(), app.shape, inputs)
    assert np.array_equal(elsewhere.in_numba(app, inputs, threads=1)(), expected)


@pytest.mark.parametrize("name", APPS)
def test_spaces_are_of_their_programs(name: str) -> None:
    """Where there is a file, it is for this pipeline; all defaults are legal."""
    app = APPS[name]
    space = app.space()
    schedule = space.schedule(space.default())
    assert isinstance(schedule, Schedule)
    schedule.check(app.pipeline())
