"""Where lanes are known to be in a window, whatever the call, they are read from one, though no schedule says so."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels import same

from autosched.lang import Expr, Func, Input, Pipeline, Type, Var, u8, u16, variables
from autosched.lang.interpret import interpret
from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.schedule.directives import Tail

Index = Callable[[Var], Expr]

INDICES: dict[str, Index] = {
    "x // 2": lambda x: x // 2,
    "x >> 3": lambda x: x >> 3,
    "(3 * x + 5) // 7": lambda x: (x * 3 + 5) // 7,
    "x // 2 + x": lambda x: x // 2 + x,
}


def repeated(index: Index, of: Type) -> Pipeline:
    y, x = variables("y x")
    source, out = Input("source", of, 2), Func("out")
    out[y, x] = source[y, index(x)] + source[y // 2, x]
    return Pipeline(out)


@pytest.mark.parametrize("of", [u8, u16])
@pytest.mark.parametrize("text", INDICES)
@settings(max_examples=12, deadline=None, database=None)
@given(
    width=st.integers(1, 300),
    lanes=st.sampled_from([4, 16, 32, 64]),
    tail=st.sampled_from(["guard", "shift_inwards"]),
    unused=st.integers(0, 3),
)
def test_quotients_of_coordinates(text: str, of: Type, width: int, lanes: int, tail: Tail, unused: int) -> None:
    """To the last element of the memory: a window is never read beside an array."""
    pipeline = repeated(INDICES[text], of)
    image = np.random.default_rng(width).integers(0, 250, (3, 2 * width + unused), of.dtype)
    call = {"source": np.ascontiguousarray(image)}
    found = Kernel(pipeline, Schedule().vectorize("out", "x", lanes, tail))(shape=(3, width), **call)
    assert same(found, interpret(pipeline, (3, width), call))


@pytest.mark.parametrize("lanes", [4, 16, 32, 64])
@pytest.mark.parametrize("width", [1, 15, 50, 131])
def test_strides_that_are_known_are_slices_of_windows(lanes: int, width: int) -> None:
    """A channel of colours: lanes three bytes apart, which takes two windows for 64 of them."""
    y, x = variables("y x")
    image, out = Input("image", u8, 3), Func("out")
    out[y, x] = image[y, x, 1]
    pipeline = Pipeline(out)
    colours = np.random.default_rng(0).integers(0, 256, (4, width, 3), np.uint8)
    plain = Kernel(pipeline, Schedule().vectorize("out", "x", lanes)).bind(shape=(4, width), image=colours)
    picked = Schedule().vectorize("out", "x", lanes).loads("out", "image", "pick")
    assert "slice_u8x" in plain.show()
    assert "slice_u8x" not in Kernel(pipeline, picked).bind(shape=(4, width), image=colours).show()
    assert np.array_equal(plain.run(1), colours[:, :, 1])
