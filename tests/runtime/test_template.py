"""Templates give the results of whole bindings, refuse other geometries, and share no memory between calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.errors import BindError
from autosched.lang import Func, Input, Pipeline, cast, i32, u8, variables
from autosched.runtime import Kernel, Missing, Template, template
from autosched.schedule import Schedule


def weighted() -> Pipeline:
    """Sums of three rows of products with a table, the products a Func of their own."""
    y, x = variables("y x")
    source, weights = Input("source", u8, 2), Input("weights", i32, 1)
    products, out = Func("products"), Func("out")
    products[y, x] = cast(i32, source[y, x]) * weights[x]
    out[y, x] = cast(u8, (products[y, x] + products[y + 1, x] + products[y + 2, x]) // 64)
    return Pipeline(out, "weighted")


AT_ROOT = Kernel(weighted(), Schedule().compute_root("products").parallel("out", "y"))
INLINE = Kernel(weighted(), Schedule().parallel("out", "y").vectorize("out", "x", 16))


def inputs(seed: int, height: int, width: int) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 256, (height, width), dtype=np.uint8)
    return {"source": source, "weights": rng.integers(0, 21, width, dtype=np.int32)}


def made(kernel: Kernel, given: dict[str, np.ndarray[Any, Any]]) -> Template:
    height, width = given["source"].shape
    out = Missing(np.dtype(np.uint8), (height - 2, width), (width, 1))
    return template(kernel, {"source": Missing.like(given["source"]), "out": out}, weights=given["weights"])


@pytest.mark.parametrize("kernel", [AT_ROOT, INLINE], ids=["root", "inline"])
@given(seed=st.integers(0, 1 << 20), height=st.integers(3, 30), width=st.integers(1, 70))
@settings(max_examples=30, deadline=None)
def test_bound_twice_as_bound_whole(kernel: Kernel, seed: int, height: int, width: int) -> None:
    first = inputs(seed, height, width)
    bound = made(kernel, first)
    for source in (first["source"], inputs(seed + 1, height, width)["source"]):
        out = np.empty((height - 2, width), np.uint8)
        bound.bind(source=source, out=out).run(1)
        expected = kernel(shape=out.shape, source=source, weights=first["weights"], threads=1)
        np.testing.assert_array_equal(out, expected)


def test_calls_of_many_threads_do_not_share_what_is_stored_at_the_root() -> None:
    given = inputs(0, 90, 300)
    bound = made(AT_ROOT, given)
    sources = [inputs(seed, 90, 300)["source"] for seed in range(24)]

    def run(source: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return bound.bind(source=source, out=np.empty((88, 300), np.uint8)).run(1)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(run, sources))
    for source, result in zip(sources, results, strict=True):
        np.testing.assert_array_equal(result, AT_ROOT(shape=(88, 300), source=source, weights=given["weights"]))


def test_other_arrays_are_refused() -> None:
    given = inputs(0, 10, 20)
    bound, source, out = made(INLINE, given), given["source"], np.empty((8, 20), np.uint8)
    with pytest.raises(BindError, match="lacks source, out; it was given source"):
        bound.bind(source=source)
    for other in (source[:9], source[:, ::-1], source.astype(np.int8)):
        with pytest.raises(BindError, match="The array of source is Missing"):
            bound.bind(source=other, out=out)
    out.flags.writeable = False
    with pytest.raises(BindError, match="read-only"):
        bound.bind(source=source, out=out)
    with pytest.raises(BindError, match="the output out must be among the missing"):
        template(INLINE, {"source": Missing.like(source)}, weights=given["weights"])
