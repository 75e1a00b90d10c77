"""The comparison sees every bit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from experiments import exactness
from experiments.exactness import difference


def output(**changes: np.ndarray) -> dict[str, np.ndarray]:
    values = np.arange(100, dtype=np.float32).reshape(20, 5)
    return {"pixel_values": values, "image_grid_thw": np.array([[1, 4, 5]]), **changes}


def test_equal_bits() -> None:
    assert difference(output(), output()) == ""


def test_numbers_that_are_equal_may_differ_in_bits() -> None:
    zero, negative = np.zeros((20, 5), np.float32), np.zeros((20, 5), np.float32)
    negative[3, 2] = -0.0
    found = difference(output(pixel_values=zero), output(pixel_values=negative))
    assert found == "1 of 100 elements of pixel_values differ"


def test_a_difference_anywhere_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exactness, "_BLOCK", 64)
    for index in range(100):
        other = output()["pixel_values"].copy()
        other.reshape(-1)[index] += 1
        assert difference(output(pixel_values=other), output()).startswith("1 of 100")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pixel_values": np.zeros((20, 5))}, r"pixel_values is float64 \[20, 5\] instead of float32 \[20, 5\]"),
        ({"pixel_values": np.zeros((5, 20), np.float32)}, r"float32 \[5, 20\] instead of"),
        ({"extra": np.zeros(1)}, "it returns .*extra.* instead of"),
    ],
)
def test_shapes_dtypes_and_names(changed: dict[str, np.ndarray], message: str) -> None:
    assert re.search(message, difference(output(**changed), output()))
