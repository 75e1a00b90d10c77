"""Workloads that are made of a shape of the output: how large Inputs are, and where that cannot be told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autosched.errors import TuneError
from autosched.lang import (
    Expr,
    Func,
    Input,
    Param,
    Pipeline,
    RDom,
    cast,
    clamp,
    f32,
    i8,
    i32,
    interpret,
    sum_over,
    u8,
    variables,
)
from autosched.tune import random_workload

y, x = variables("y x")
image = Input("image", u8, 2)


def pipeline(value: Expr) -> Pipeline:
    out = Func("out")
    out[y, x] = value
    return Pipeline(out)


def clamped(y: Any, x: Any) -> Expr:
    return image[clamp(y, 0, image.extent(0) - 1), clamp(x, 0, image.extent(1) - 1)]


def shapes(of: Pipeline, shape: tuple[int, ...], **given: Any) -> dict[str, tuple[int, ...]]:
    """The shapes of Inputs, with which the interpreter must be content, here and in the checks."""
    workload = random_workload(of, shape, **given)
    for binding in (*workload.bindings, *workload.checks()):
        assert interpret(of, binding.shape, **binding.given).shape == binding.shape
    return {name: a.shape for name, a in workload.bindings[0].given.items() if isinstance(a, np.ndarray)}


def test_inputs_are_as_large_as_they_are_read() -> None:
    assert shapes(pipeline(image[y + 2, x] + image[y, x + 3]), (40, 90)) == {"image": (42, 93)}
    assert shapes(pipeline(clamped(y - 1, x + 1)), (40, 90)) == {"image": (40, 90)}
    assert shapes(pipeline(clamped(2 * y - 1, x // 2)), (40, 90)) == {"image": (80, 45)}
    table = Input("table", f32, 1)
    assert shapes(pipeline(table[image[y, x]]), (40, 90)) == {"image": (40, 90), "table": (256,)}
    flipped = pipeline(image[image.extent(0) - 1 - y, x])
    assert shapes(flipped, (40, 90)) == {"image": (40, 90)}


def test_extents_that_the_algorithm_asks_for_are_the_outputs() -> None:
    a, b = Input("a", f32, 2), Input("b", f32, 2)
    k = RDom(k=a.extent(1))
    product = pipeline(sum_over(k, a[y, k.k] * b[k.k, x]))
    assert shapes(product, (40, 90)) == {"a": (40, 90), "b": (90, 90)}
    assert shapes(product, (40, 90), a=np.zeros((40, 7), np.float32)) == {"a": (40, 7), "b": (7, 90)}
    volume = Input("volume", f32, 3)
    r = RDom(r=volume.extent(2))
    with pytest.raises(TuneError, match="a shape of out does not say how large volume is in dimension 2: give it"):
        random_workload(pipeline(sum_over(r, volume[y, x, r.r])), (40, 90))


def test_elements_are_of_the_whole_type() -> None:
    weights, gain = Input("weights", i8, 2), Param("gain", i32)
    of = pipeline(cast(i32, weights[y, x]) * gain)
    workload = random_workload(of, (40, 90), gain=3)
    assert workload.name == "40x90" and workload.bindings[0].given["gain"] == 3
    values = workload.bindings[0].given["weights"]
    assert values.dtype == np.int8 and values.min() == -128 and values.max() == 127
    assert [check.shape for check in workload.checks()] == [(21, 75)]
    same = random_workload(of, (40, 90), gain=3).bindings[0].given["weights"]
    assert np.array_equal(values, same)


@pytest.mark.parametrize(
    ("value", "shape", "why"),
    [
        (image[y, x], (40,), r"shape is \(40,\); out has 2 coordinates, each with an extent from 1 on"),
        (image[y, x], (40, 0), "each with an extent from 1 on"),
        (image[y - 1, x], (40, 90), "out reads image at -1 in dimension 0; clamp the index, or move it"),
        (cast(i32, image[y, x]) * Param("gain", i32), (40, 90), "Params, for which values have to be given: gain"),
        (image[Input("rows", i32, 1, monotone=True)[y], x], (40, 90), "declares what rows holds"),
    ],
)
def test_what_has_to_be_given(value: Expr, shape: tuple[int, ...], why: str) -> None:
    with pytest.raises(TuneError, match=why):
        random_workload(pipeline(value), shape)


def test_promised_extents() -> None:
    out = Func("out")
    out[y, x] = image[y, x]
    out.bound(x, 3)
    assert shapes(Pipeline(out), (200, 3)) == {"image": (200, 3)}
    with pytest.raises(TuneError, match="out is bound to 3 in x, not to 4"):
        random_workload(Pipeline(out), (200, 4))
