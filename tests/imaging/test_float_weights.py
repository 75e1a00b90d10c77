"""Resizes of floats: weights and sums have the bits of torch's, with and without fused multiplications."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.errors import ArgumentError
from autosched.imaging.coefficients import AxisTable, Filter, axis_table, axis_window
from autosched.imaging.resample import as_byte, axis_pass
from autosched.lang import Func, Input, Pipeline, f32, interpret, u8, variables

torch = pytest.importorskip("torch")
from autosched.hf import float_resize  # noqa: E402

sides = st.integers(1, 12) | st.integers(1, 300)
filters = st.sampled_from(["bilinear", "bicubic"])
FORM = float_resize.float_arithmetic()


def theirs(rows: np.ndarray, out: int, filter: str) -> np.ndarray:
    """Rows [n, size] resized to [n, out] by torch."""
    source = torch.from_numpy(rows)[None, None]
    resized = torch.nn.functional.interpolate(
        source, size=(len(rows), out), mode=filter, align_corners=False, antialias=True
    )
    return np.asarray(resized[0, 0].numpy())


def ours(rows: np.ndarray, table: AxisTable, form: Literal["float", "fused"], rounded: bool = False) -> np.ndarray:
    """Rows [n, size] of bytes or floats resized with a table; bytes again where they are `rounded`."""
    r, x = variables("r x")
    source, out = Input("source", u8 if rows.dtype == np.uint8 else f32, 2), Func("out")
    along = axis_pass("x", source.extent(1), "torchvision", form)
    value = along.at(x, lambda j: source[r, j])
    out[r, x] = as_byte(value) if rounded else value
    tables = {name: array for name, array in along.bind(table).items() if isinstance(array, np.ndarray)}
    shape = len(rows), table.begin.size
    return interpret(Pipeline(out), shape, {"source": rows, **tables}, {along.taps.name: table.taps})


def test_torch_is_understood_here() -> None:
    assert FORM is not None


@given(sides, sides, filters)
@settings(max_examples=200, deadline=None)
def test_weights_are_torchs(size: int, out: int, filter: Filter) -> None:
    """A row with a single one has nothing to round but the weights."""
    assert FORM is not None
    table = axis_table(size, out, filter, "torchvision", FORM)
    matrix = np.zeros((size, out), np.float32)
    for k in range(table.taps):
        np.add.at(matrix, (table.begin + k, np.arange(out)), table.weights[k])
    assert np.array_equal(matrix, theirs(np.eye(size, dtype=np.float32), out, filter))
    assert (np.diff(table.begin) >= 0).all() and table.begin.min() >= 0 and table.begin.max() + table.taps <= size


@given(sides, sides, filters, st.integers(0, 1 << 30))
@settings(max_examples=100, deadline=None)
def test_sums_are_torchs(size: int, out: int, filter: Filter, seed: int) -> None:
    assert FORM is not None
    rows = np.random.default_rng(seed).normal(0, 300, (3, size)).astype(np.float32)
    made = ours(rows, axis_table(size, out, filter, "torchvision", FORM), FORM)
    assert np.array_equal(made, theirs(rows, out, filter))


@given(sides, sides, filters, st.integers(-20, 320), st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_windows_crop_and_pad(size: int, out: int, filter: Filter, start: int, extent: int) -> None:
    assert FORM is not None
    row = np.random.default_rng(size).integers(0, 256, (1, size)).astype(np.uint8)
    whole = np.clip(np.rint(theirs(row.astype(np.float32), out, filter)), 0, 255).astype(np.uint8)
    expected = np.zeros((1, extent), np.uint8)
    for i in range(extent):
        if 0 <= start + i < out:
            expected[0, i] = whole[0, start + i]
    window = axis_window(size, out, filter, "torchvision", start, start + extent, FORM)
    assert np.array_equal(ours(row, window, FORM, rounded=True), expected)


def test_the_last_taps_are_fused() -> None:
    """Six taps: one alone, four whose products are rounded, one that is not."""
    table = axis_table(45, 30, "bicubic", "torchvision", "fused")
    assert table.plain is not None
    lengths = (table.weights != 0).sum(0)
    inner = (table.begin > 0) & (lengths == 6)
    assert inner.any() and set(table.plain[inner]) == {5}
    assert axis_table(45, 30, "bicubic", "torchvision", "float").plain is None


@pytest.mark.parametrize(("capability", "form"), [("default", "float"), ("avx2", "fused")])
def test_the_form_follows_torchs_instructions(capability: str, form: str) -> None:
    code = "from autosched.hf.float_resize import float_arithmetic; print(float_arithmetic())"
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": capability}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in (form, "float" if not has_avx2() else form)


def has_avx2() -> bool:
    """Whether torch has more than its default instructions here."""
    return str(torch.backends.cpu.get_cpu_capability()) != "DEFAULT"


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"Floats are not resized with lanczos by torchvision"):
        axis_table(8, 5, "lanczos", "torchvision", "float")
    with pytest.raises(ArgumentError, match=r"Floats are not resized with bicubic by pillow"):
        axis_table(8, 5, "bicubic", "pillow", "fused")
    with pytest.raises(ArgumentError, match=r"Unknown arithmetic 'double'; choose integer, float or fused"):
        axis_table(8, 5, "bicubic", "torchvision", "double")  # type: ignore[arg-type]
