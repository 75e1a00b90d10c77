"""Objects on their way to a worker: layouts, read-only arrays, deep expressions."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from autosched.lang import Func, Input, Pipeline, cast, i32, u8, variables
from autosched.lang.fingerprint import fingerprint
from autosched.tune.transport import load, packed, save, unpacked

WIDE = np.arange(4 * 6 * 4, dtype=np.uint16).reshape(4, 6, 4)
LAYOUTS = {
    "dense": WIDE,
    "a channel": WIDE[..., 1],
    "backwards": WIDE[::-1, ::2, ::-1],
    "transposed": WIDE.T,
    "broadcast": np.broadcast_to(WIDE[0, 0], (3, 4)),
    "empty": WIDE[:0, ::2],
    "a number": np.array(7.0),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(name: str, tmp_path: Path) -> None:
    array = LAYOUTS[name]
    save(array, tmp_path / "x")
    made = load(tmp_path / "x")
    assert made.dtype == array.dtype and made.shape == array.shape and np.array_equal(made, array)
    assert made.strides == array.strides or not array.size
    assert made.flags.writeable == array.flags.writeable
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_read_only_stays_so() -> None:
    array = np.arange(3)
    array.flags.writeable = False
    assert not unpacked(packed(array)).flags.writeable


def test_deep_expressions() -> None:
    """As deep as the language goes, which is too deep for pickle."""
    with pytest.raises(RecursionError):
        pickle.dumps(deep())
    assert fingerprint(unpacked(packed(deep()))) == fingerprint(deep())


def deep() -> Pipeline:
    (x,) = variables("x")
    source, out = Input("source", u8, 1), Func("out")
    value = cast(i32, source[x])
    for i in range(800):
        value = value + cast(i32, source[x + i % 7])
    out[x] = cast(u8, value)
    return Pipeline(out, "deep")
