"""Inputs in pieces: the same results as from one array, whatever the pieces, and no byte of another piece is read."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pieces import Pieces

from autosched.errors import BindError
from autosched.imaging.coefficients import axis_window
from autosched.imaging.resample import axis_pass
from autosched.lang import Func, Input, Pipeline, cast, i32, u8, variables
from autosched.runtime import Bands, Call, Kernel, Memory, Missing, cropped, template
from autosched.schedule import Schedule


def blur() -> Pipeline:
    y, x = variables("y x")
    source = Input("source", u8, 2)
    rows, out = Func("rows"), Func("out")
    rows[y, x] = cast(i32, source[y, x]) + cast(i32, source[y, x + 1]) + cast(i32, source[y, x + 2])
    out[y, x] = cast(u8, (rows[y, x] + rows[y + 1, x] + rows[y + 2, x]) // 9)
    return Pipeline(out, "blur")


PIPELINE = blur()
#: Every row of the output on its own; pieces of rows; strips; two stages; a stage that reads every row at once, and one
#: that goes from one end to the other again and again.
SCHEDULES = {
    "rows": Schedule().parallel("out", "y").vectorize("out", "x", 16),
    "fused": Schedule().split("out", "x", "xo", "xi", 8).fuse("out", "y", "xo", "part").parallel("out", "part"),
    "strips": Schedule().split("out", "y", "yo", "yi", 5).compute_at("rows", "out", "yo").parallel("out", "yo"),
    "shifted": Schedule().split("out", "y", "yo", "yi", 4, "shift_inwards").parallel("out", "yo"),
    "two stages": Schedule().compute_root("rows").parallel("rows", "y").parallel("out", "y"),
    "columns": Schedule().reorder("out", "x", "y").parallel("out", "x"),
    "to and fro": Schedule().reorder("out", "x", "y").fuse("out", "x", "y", "all").parallel("out", "all"),
}
KERNELS = {name: Kernel(PIPELINE, schedule) for name, schedule in SCHEDULES.items()}


def bind(kernel: Kernel, bands: Bands, out: np.ndarray[Any, Any], **given: Any) -> Call:
    """A call with bands for the input `source`."""
    name = kernel.pipeline.output.name
    missing = {"source": Missing.like(bands), name: Missing.like(out)}
    return template(kernel, missing, **given).bind(**{"source": bands, name: out})


@given(
    st.sampled_from(sorted(KERNELS)),
    st.integers(3, 60),
    st.integers(3, 80),
    st.lists(st.integers(0, 60), max_size=6),
    st.integers(1, 3),
)
@settings(max_examples=150, deadline=None)
def test_any_pieces(schedule: str, height: int, width: int, cuts: list[int], threads: int) -> None:
    array = np.random.default_rng(height * width).integers(0, 256, (height, width), dtype=np.uint8)
    kernel = KERNELS[schedule]
    expected = kernel(shape=(height - 2, width - 2), source=array)
    bands = Pieces(array, [cut for cut in cuts if cut < height])
    out = np.empty_like(expected)
    np.testing.assert_array_equal(bind(kernel, bands, out).run(threads), expected)
    if schedule == "rows" and threads == 1:
        # once a piece, and row by row where its end is among what may be read with a row
        assert len(bands.asked) <= len(bands.ends) * (4 + -(-256 // width))


@pytest.mark.parametrize("schedule", ["rows", "fused", "strips", "shifted", "two stages"])
def test_few_rows_at_a_time(schedule: str) -> None:
    """No schedule that goes down the image asks for all of it."""
    array = np.random.default_rng(1).integers(0, 256, (200, 500), dtype=np.uint8)
    bands = Pieces(array, list(range(20, 200, 20)))
    out = np.empty((198, 498), np.uint8)
    np.testing.assert_array_equal(bind(KERNELS[schedule], bands, out).run(1), KERNELS["rows"](out=out, source=array))
    assert max(last - first for first, last in bands.asked) <= 20


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("shape", [(0, 7), (4, 0), (0, 0)])
def test_an_output_without_elements(schedule: str, shape: tuple[int, int]) -> None:
    """Nothing is planned for it, no row is asked for, and rows may be of no bytes."""
    array = np.zeros((shape[0] + 2, shape[1] + 2), np.uint8)
    bands, out = Pieces(array, [1]), np.empty(shape, np.uint8)
    assert bind(KERNELS[schedule], bands, out).run() is out
    assert not bands.asked


@given(st.integers(1, 90), st.integers(1, 70), st.lists(st.integers(0, 90), max_size=4), st.integers(1, 2))
@settings(max_examples=60, deadline=None)
def test_rows_that_a_table_names(height: int, resized: int, cuts: list[int], threads: int) -> None:
    """What a window reads is in its table, and known when the call is bound."""
    array = np.random.default_rng(height * resized).integers(0, 256, (height, 33), dtype=np.uint8)
    given = RESIZE.bind(axis_window(height, resized, "bicubic", "torchvision", 0, resized))
    expected = DOWN(shape=(resized, 33), source=array, **given)
    bands = Pieces(array, [cut for cut in cuts if cut < height])
    out = np.empty_like(expected)
    np.testing.assert_array_equal(bind(DOWN, bands, out, **given).run(threads), expected)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_part_of_the_pieces(data: st.DataObject) -> None:
    array = np.random.default_rng(3).integers(0, 256, (40, 50), dtype=np.uint8)
    top, left = data.draw(st.integers(0, 36)), data.draw(st.integers(0, 46))
    height, width = data.draw(st.integers(3, 60)), data.draw(st.integers(3, 60))
    part = cropped(array, top, left, height, width)
    bands = cropped(Pieces(array, data.draw(st.lists(st.integers(0, 39), max_size=4))), top, left, height, width)
    assert isinstance(bands, Bands) and bands.shape == part.shape and (bands.whole() == part).all()
    kernel = KERNELS["strips"]
    expected = kernel(shape=(part.shape[0] - 2, part.shape[1] - 2), source=part)
    out = np.empty_like(expected)
    np.testing.assert_array_equal(bind(kernel, bands, out).run(), expected)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_rows_at_an_address(data: st.DataObject) -> None:
    """Memory of every second column gives what its array gives, and so does a part of it."""
    array = np.random.default_rng(4).integers(0, 256, (30, 120), dtype=np.uint8)[:, ::2]
    memory: Any = Memory(array.ctypes.data, array.shape, array.strides, array.dtype, array)
    expected: Any = array
    if data.draw(st.booleans()):
        where = [data.draw(st.integers(*limits)) for limits in ((0, 26), (0, 56), (3, 50), (3, 90))]
        memory, expected = cropped(memory, *where), cropped(array, *where)
    assert isinstance(memory, Memory) and memory.shape == expected.shape and memory.strides == expected.strides
    assert np.array_equal(memory.whole(), expected) and memory.end(0) == len(expected)
    kernel = KERNELS[data.draw(st.sampled_from(sorted(KERNELS)))]
    wanted = kernel(shape=(expected.shape[0] - 2, expected.shape[1] - 2), source=expected)
    out = np.empty_like(wanted)
    np.testing.assert_array_equal(bind(kernel, memory, out).run(data.draw(st.integers(1, 2))), wanted)


def test_rows_at_an_address_keep_their_owner_and_are_not_to_be_written() -> None:
    class Owner:
        pass

    array, owner = np.arange(60, dtype=np.uint8).reshape(6, 10), Owner()
    gone = weakref.ref(owner)
    memory: Any = Memory(array.ctypes.data, array.shape, array.strides, array.dtype, owner)
    part = cropped(cropped(memory, 1, 1, 5, 9), 1, 1, 4, 8)
    view = part.whole()
    del memory, owner
    assert gone() is not None and not view.flags.writeable
    call = bind(KERNELS["rows"], part, np.empty((2, 6), np.uint8))
    del part, view
    assert gone() is not None
    del call
    assert gone() is None


def test_an_output_in_bands_is_refused() -> None:
    array = np.zeros((9, 9), np.uint8)
    made = template(KERNELS["rows"], {"out": Missing.like(array[2:, 2:])}, source=array)
    with pytest.raises(BindError, match="only inputs may be"):
        made.bind(out=Pieces(array[2:, 2:], []))


def resize() -> tuple[Pipeline, Any]:
    """A resize of columns."""
    y, x = variables("y x")
    source = Input("source", u8, 2)
    made = axis_pass("y", source.extent(0), "torchvision")
    out = Func("out")
    out[y, x] = made.at(y, lambda j: source[j, x])
    return Pipeline(out, "resize"), made


_DOWN, RESIZE = resize()
DOWN = Kernel(_DOWN, Schedule().parallel("out", "y").vectorize("out", "x", 16))
