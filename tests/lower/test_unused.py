"""A Func that nobody reads once expressions are simplified is not computed."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import assert_equals_interpreter

from autosched.lang import Func, Input, cast, clamp, i64, u8, variables
from autosched.schedule import Schedule

Y, X = variables("y x")


@pytest.mark.parametrize("place", ["root", "at", "nested"])
def test_a_func_that_is_divided_away(place: str) -> None:
    image = Input("image", u8, 1)
    f, g, h = Func("f"), Func("g"), Func("h")
    f[X] = cast(i64, image[clamp(X, 0, 9)])
    g[Y, X] = f[X + 1] + Y
    h[Y, X] = g[Y, X] // 0 + cast(i64, image[clamp(X, 0, 9)])
    schedule = {
        "root": Schedule().compute_root("f").compute_root("g"),
        "at": Schedule().compute_at("g", "h", "y").compute_at("f", "h", "y"),
        "nested": Schedule().compute_at("g", "h", "y").compute_at("f", "g", "y"),
    }[place]
    assert_equals_interpreter(h, (3, 7), schedule, image=np.arange(10, dtype=np.uint8))
