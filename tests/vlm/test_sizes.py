"""Size rules against transformers' own functions, on random sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.errors import ArgumentError, BindError
from autosched.vlm.anyres import NEXT_RESOLUTIONS, ONEVISION_RESOLUTIONS
from autosched.vlm.idefics3 import longest_edge
from autosched.vlm.internvl import InternVL, closest_grid
from autosched.vlm.parts import Part, Plan, run_plans
from autosched.vlm.siglip2 import budgeted
from autosched.vlm.sizes import best_resolution, fitted, inside

transformers = pytest.importorskip("transformers")
sides = st.one_of(st.integers(1, 80), st.integers(1, 5000))
FIVE = int(transformers.__version__.split(".")[0]) >= 5


def module(model: str) -> Any:
    """The module of a PIL (slow) processor, which needs no torch."""
    from importlib import import_module

    before = "pil_" if FIVE else ""
    return import_module(f"transformers.models.{model}.image_processing_{before}{model}")


class Sized:
    """An array without pixels, for functions that only look at a shape."""

    def __new__(cls, height: int, width: int) -> Any:
        return np.broadcast_to(np.uint8(0), (3, height, width))


@given(sides, sides, st.integers(1, 600), st.integers(1, 900))
@settings(max_examples=500, deadline=None)
def test_edges(height: int, width: int, shortest: int, longest: int) -> None:
    from transformers.image_transforms import get_resize_output_image_size, get_size_with_aspect_ratio

    image = Sized(height, width)
    expected = get_resize_output_image_size(
        image, size=shortest, default_to_square=False, input_data_format="channels_first"
    )
    assert fitted(height, width, {"shortest_edge": shortest}) == tuple(expected)
    both = {"shortest_edge": shortest, "longest_edge": longest}
    assert fitted(height, width, both) == tuple(get_size_with_aspect_ratio((height, width), shortest, longest))


@given(sides, sides, st.sampled_from([NEXT_RESOLUTIONS, ONEVISION_RESOLUTIONS]))
@settings(max_examples=500, deadline=None)
def test_canvases(height: int, width: int, resolutions: list[list[int]]) -> None:
    from transformers.image_processing_utils import get_patch_output_size, select_best_resolution

    best = select_best_resolution((height, width), resolutions)
    if best is None:  # an image so narrow that it has no pixels in any canvas
        with pytest.raises(ArgumentError, match="no resolution"):
            best_resolution(height, width, resolutions)
        return
    assert best_resolution(height, width, resolutions) == best
    expected = get_patch_output_size(Sized(height, width), best, "channels_first")
    assert inside(height, width, best) == expected


@given(sides, sides, st.integers(1, 4), st.integers(4, 20), st.sampled_from([32, 448]))
@settings(max_examples=500, deadline=None)
def test_grids_of_internvl(height: int, width: int, least: int, most: int, tile: int) -> None:
    columns, rows = module("got_ocr2").get_optimal_tiled_canvas((height, width), (tile, tile), least, most)
    assert closest_grid(height, width, (tile, tile), least, most) == (rows, columns)


@given(sides, sides, st.integers(20, 5000))
@settings(max_examples=500, deadline=None)
def test_longest_edge_of_idefics3(height: int, width: int, edge: int) -> None:
    oracle = module("idefics3").get_resize_output_image_size
    expected = oracle(Sized(height, width), edge) if FIVE else oracle(Sized(height, width), edge, "channels_first")
    assert longest_edge(height, width, edge) == tuple(expected)


@given(sides, sides, st.sampled_from([8, 14, 16]), st.integers(1, 600))
@settings(max_examples=200, deadline=None)
def test_budget_of_siglip2(height: int, width: int, patch: int, most: int) -> None:
    oracle = module("siglip2").get_image_size_for_max_num_patches
    assert budgeted(height, width, patch, most) == oracle(height, width, patch, most)


def test_plans_say_what_does_not_fit() -> None:
    image = np.zeros((40, 50, 3), np.uint8)
    settings = InternVL(tile=(16, 16))
    plan = settings.plan(40, 50)
    assert plan.tiles == sum(part.tiles for part in plan.parts) and plan.parts[-1] == Part((16, 16))
    with pytest.raises(BindError, match=r"the plan makes \[\d+, 3, 16, 16\] of an image of \[40, 50, 3\]"):
        run_plans(settings.preparation, [image], [plan], [np.zeros((2, 3, 16, 16), np.float32)])
    with pytest.raises(ArgumentError, match="both sides must be at least 1"):
        InternVL(tile=(0, 16))
    with pytest.raises(ArgumentError, match="give height and width, or shortest_edge"):
        fitted(4, 5, {"width": 3})
    assert Plan((4, 4), ()).tiles == 0
