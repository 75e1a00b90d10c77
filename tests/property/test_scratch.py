"""Whole blocks that begin where each iteration needs them stay inside the storage that all iterations share."""

from __future__ import annotations

import numpy as np
import pytest
from canaries import watched

from autosched.lang import Func, Input, Pipeline, interpret, u8, variables
from autosched.runtime import Kernel
from autosched.schedule import Schedule


@pytest.mark.parametrize("lanes", [2, 8, 32])
@pytest.mark.parametrize("tail", ["round_up", "guard", "shift_inwards"])
def test_blocks_of_iterations_that_walk_backwards(lanes: int, tail: str) -> None:
    (x,) = variables("x")
    source = Input("source", u8, 1)
    far, near, out = Func("far"), Func("near"), Func("out")
    far[x] = source[(x % 5 + 5) % 5] + 1
    near[x] = far[-x] * 3
    out[x] = near[9 - x]
    pipeline = Pipeline(out)
    s = Schedule().compute_at("near", "out", "x").store_root("near").vectorize("near", "x", lanes, tail)
    s = s.compute_at("far", "out", "x").store_root("far").vectorize("far", "x", 4, tail)
    given = {"source": np.arange(5, dtype=np.uint8)}
    with watched():
        made = Kernel(pipeline, s)(shape=(10,), **given)
    np.testing.assert_array_equal(made, interpret(pipeline, (10,), given))
