"""Frames of calls are used again exactly where geometry, params and tables are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autosched.lang import Func, Input, Param, Pipeline, cast, f32, i32, interpret, u8, variables
from autosched.runtime import Kernel
from autosched.runtime import kernel as kernels


def looked_up() -> Pipeline:
    """Pixels at the places of a table, plus a number."""
    (x,) = variables("x")
    source = Input("source", u8, 1)
    places = Input("places", i32, 1, monotone=True, bounds=(0, source.extent(0) - 1))
    out = Func("out")
    out[x] = cast(f32, source[places[x]]) * Param("factor", f32)
    return Pipeline(out)


PIPELINE = looked_up()


def table(*values: int) -> np.ndarray[Any, Any]:
    made = np.array(values, np.int32)
    made.flags.writeable = False
    return made


def check(kernel: Kernel, places: np.ndarray[Any, Any], source: np.ndarray[Any, Any], factor: float) -> None:
    given = {"source": source, "places": places, "factor": factor}
    expected = interpret(PIPELINE, (len(places),), {"source": source, "places": places}, {"factor": factor})
    made = kernel(shape=(len(places),), **given)
    np.testing.assert_array_equal(made.view(np.uint32), expected.view(np.uint32))


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one for each plan that is made."""
    made: list[int] = []
    plan = kernels.plan_call

    def counted(*args: Any) -> Any:
        made.append(1)
        return plan(*args)

    monkeypatch.setattr(kernels, "plan_call", counted)
    return made


def test_the_same_tables_and_shapes_are_planned_once(planned: list[int]) -> None:
    kernel, places = Kernel(PIPELINE), table(0, 2, 2, 4)
    for seed in range(6):  # new memory each time
        check(kernel, places, np.random.default_rng(seed).integers(0, 256, 5, dtype=np.uint8), 2.0)
    assert len(planned) <= 2  # which tables decide is learned from the first


def test_a_table_that_can_change_is_planned_each_time(planned: list[int]) -> None:
    kernel, source = Kernel(PIPELINE), np.arange(10, 19, dtype=np.uint8)
    places = np.array([0, 1, 2], np.int32)
    for last in (2, 5, 8):
        places[-1] = last
        check(kernel, places, source, 1.0)
    assert len(planned) == 3


def test_other_tables_shapes_strides_and_params_are_told_apart() -> None:
    kernel = Kernel(PIPELINE)
    source = np.arange(60, 76, dtype=np.uint8)
    first, second = table(0, 2, 2, 4), table(1, 1, 3, 7)
    for _ in range(3):
        for places in (first, second):
            for view in (source, source[::2], source[::-1], source[3:12]):
                for factor in (0.0, -0.0, 1.5):
                    check(kernel, places, view, factor)


def test_a_table_beyond_its_bounds_is_refused_again_and_again() -> None:
    kernel, source = Kernel(PIPELINE), np.arange(4, dtype=np.uint8)
    wrong = table(0, 1, 4)
    for _ in range(3):
        with pytest.raises(kernels.BindError, match=r"table places is declared to hold 0\.\.3, but it holds 0\.\.4"):
            kernel(shape=(3,), source=source, places=wrong, factor=1.0)
        check(kernel, table(0, 1, 3), source, 1.0)


def test_kept_frames_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "FRAMES", 4)
    kernel, places = Kernel(PIPELINE), table(0, 1)
    for n in range(2, 20):
        check(kernel, places, np.arange(n, dtype=np.uint8), 1.0)
    assert len(kernel._frames) == 4


def test_tables_that_are_gone_do_not_lend_their_identity() -> None:
    kernel, source = Kernel(PIPELINE), np.arange(50, dtype=np.uint8)
    for n in range(300):  # more than are kept, and memory that is used again
        check(kernel, table(n % 50, 49), source, 1.0)
