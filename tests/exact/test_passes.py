"""Images of which rows, columns or neither are resized: a pass that does nothing is left out, and no bit changes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from families import EACH, noise, tensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from references import ORACLES, SETTINGS, Oracle, check_accelerated

from autosched.vlm.passes import Canvas, passes_of
from autosched.vlm.patches import PatchSettings
from autosched.vlm.preparation import Preparation
from autosched.vlm.tiles import TileSettings

SIZES = int(os.environ.get("AUTOSCHED_EXACT_SIZES", "100"))


def test_which_passes() -> None:
    def passes(height: int, width: int, canvas: Canvas) -> str:
        found = passes_of(Preparation("pil"), height, width, canvas)
        return "".join(name[0] for name, needed in found.items() if needed)

    assert passes(56, 84, Canvas((56, 84))) == ""
    assert passes(56, 85, Canvas((56, 84))) == "a"
    assert passes(57, 84, Canvas((56, 84))) == "d"
    assert passes(57, 85, Canvas((56, 84))) == "ad"
    assert passes(56, 84, Canvas((56, 84), (0, 0), (60, 84))) == "d"  # zeros below
    assert passes(56, 84, Canvas((56, 84), (0, 10), (56, 74))) == "a"  # a cut


def test_names_and_funcs() -> None:
    """Each is a pipeline of its own, with records of its own."""
    patches, tiles = PatchSettings(Preparation(), 14, 2, 2), TileSettings(Preparation())
    for made in (
        [patches.algorithm(*size, (56, 84)) for size in ((57, 85), (56, 85), (57, 84), (56, 84))],
        [tiles.algorithm(*size, Canvas((56, 84))) for size in ((57, 85), (56, 85), (57, 84), (56, 84))],
    ):
        names = [algorithm.pipeline().name for algorithm in made]
        assert [name[len(names[0]) :] for name in names] == ["", "-x-pass", "-y-pass", "-no-pass"]
        funcs = [{func.name for func in algorithm.pipeline().funcs} for algorithm in made]
        assert [len(found & {"first", "resized"}) for found in funcs] == [2, 1, 1, 0]


@settings(max_examples=SIZES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([("qwen2-vl", 28), ("qwen3-vl", 32)]),
    st.sampled_from(["rows", "columns", "neither"]),
    st.integers(1, 12),
    st.integers(5, 400),  # 4.57 takes fewer rows for channels
    st.integers(0, 1000),
)
@pytest.mark.parametrize("oracle", ORACLES)
def test_random_sizes_that_stay(
    oracle: Oracle, case: tuple[str, int], changed: str, count: int, other: int, seed: int
) -> None:
    name, factor = case
    side = count * factor
    other = max(factor, other // factor * factor) if changed == "neither" else max(other, -(-side // 150))
    size = (other, side) if changed == "columns" else (side, other)
    image = Image.fromarray(noise(*size, np.random.default_rng(seed)))
    check_accelerated(oracle.build(**SETTINGS[name]), image)


@pytest.mark.parametrize(("oracle", "settings"), EACH)
def test_every_family(oracle: Oracle, settings: dict[str, Any]) -> None:
    """Sides that the settings keep, and others; of PIL images and of arrays."""
    processor = oracle.build(**settings, do_convert_rgb=True)
    rng = np.random.default_rng(3)
    for size in ((32, 32), (40, 40), (56, 56), (56, 70), (70, 56), (32, 50), (50, 32), (48, 64), (96, 96), (64, 64)):
        pixels = noise(*size, rng)
        for image in (Image.fromarray(pixels), pixels):
            check_accelerated(processor, [image], return_tensors=tensors(oracle))
