"""Widening dot products: where they apply, and where the sum is the same in all lanes."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import assert_equals_interpreter

from autosched.lang import Func, Input, RDom, Type, cast, clamp, i8, i16, i32, sum_over, u8, variables
from autosched.schedule import Schedule

Y, X = variables("y x")


@pytest.mark.parametrize("lanes", [2, 4])
@pytest.mark.parametrize("weight", [i8, i16, i32])
@pytest.mark.parametrize("vectorized", ["y", "x"])
def test_sums_that_do_not_vary_with_the_lanes(vectorized: str, weight: Type, lanes: int) -> None:
    data, weights, begin = Input("data", u8, 1), Input("weights", weight, 2), Input("begin", i32, 1, bounds=(0, 9))
    r, f = RDom(k=7), Func("f")
    row = clamp(Y, 0, 4)
    f[Y, X] = sum_over(r, cast(i32, data[begin[row] + r.k]) * cast(i32, weights[row, r.k])) + cast(i32, X)
    schedule = Schedule().vectorize("f", vectorized, 8).vectorize("f", "k", lanes)
    rng = np.random.default_rng(0)
    limits = {"low": weight.min, "high": weight.max, "endpoint": True, "dtype": weight.dtype}
    assert_equals_interpreter(
        f,
        (5, 19),
        schedule,
        data=rng.integers(0, 256, 16, dtype=np.uint8),
        weights=rng.integers(size=(5, 7), **limits),
        begin=np.array([9, 0, 3, 3, 7], np.int32),
    )
