"""LLaVA-NeXT and LLaVA-OneVision against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families import (
    check_forms_of_images,
    check_random_images,
    forms_of_images,
    moderate,
    noise,
    photographs,
    small,
    tensors,
)
from PIL import Image
from references import HALF, TRANSFORMERS_5, Oracle, check_accelerated, check_fallback, oracles

PINPOINTS = [[32, 64], [64, 32], [64, 64], [96, 32], [32, 96]]
SMALL = {
    "size": {"shortest_edge": 32},
    "crop_size": {"height": 32, "width": 32},
    "image_grid_pinpoints": PINPOINTS,
}
NEXT: dict[str, dict[str, Any]] = {
    "defaults": {},  # tiles of 224 in canvases of multiples of 336: some are cut short, resized and cropped
    "small": SMALL,
    "rectangular size": {**SMALL, "size": {"height": 32, "width": 32}},
    "uneven": {**SMALL, "image_grid_pinpoints": [[40, 70], [75, 32], [64, 64]]},
    "crop in tiles": {**SMALL, "crop_size": {"height": 24, "width": 24}},
    "larger crop": {**SMALL, "size": {"shortest_edge": 20}},
    "no crop": {**SMALL, "do_center_crop": False},
    "no second resize": {**SMALL, "do_resize": False},
    "bilinear": {**SMALL, "resample": 2},
    "rescale only": {**SMALL, "do_normalize": False},
}
ONEVISION: dict[str, dict[str, Any]] = {
    "small": {"size": {"height": 32, "width": 32}, "image_grid_pinpoints": PINPOINTS, **HALF},
    "uneven": {"size": {"height": 32, "width": 32}, "image_grid_pinpoints": [[64, 64], [96, 128]]},
}
next_oracles = pytest.mark.parametrize("oracle", oracles("LlavaNextImageProcessor"))
onevision_oracles = pytest.mark.parametrize("oracle", oracles("LlavaOnevisionImageProcessor"))


@next_oracles
@pytest.mark.parametrize("name", NEXT)
def test_next_random_images(oracle: Oracle, name: str) -> None:
    # The slow processor of 4.57 takes images of 1 or 3 rows for planes, which narrow ones become in uneven canvases.
    check_random_images(oracle, NEXT[name], {}, sizes=moderate if name == "uneven" else small)


@onevision_oracles
@pytest.mark.parametrize("name", ONEVISION)
def test_onevision_random_images(oracle: Oracle, name: str) -> None:
    check_random_images(oracle, ONEVISION[name], {})


@next_oracles
def test_next_published_settings_on_photographs(oracle: Oracle) -> None:
    processor = oracle.build(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    check_accelerated(processor, photographs(), return_tensors=tensors(oracle))


@onevision_oracles
def test_onevision_defaults_on_photographs(oracle: Oracle) -> None:
    check_accelerated(oracle.build(**HALF), photographs(), return_tensors=tensors(oracle))


@onevision_oracles
def test_onevision_samples_of_several_images(oracle: Oracle) -> None:
    """Images of one sample are padded to squares of the mean colour and not cut into tiles."""
    one, two, three = forms_of_images()["list"]
    processor = oracle.build(**ONEVISION["small"])
    for images in ([[one, two], [three]], [[one, two, three]], [[two], [one]]):
        check_accelerated(processor, images, return_tensors=tensors(oracle))


@next_oracles
def test_next_forms_of_images(oracle: Oracle) -> None:
    untyped = TRANSFORMERS_5 or oracle.backend == "pil"
    check_forms_of_images(oracle, SMALL, untyped=untyped)
    if untyped:
        processor = oracle.build(**SMALL, do_pad=False)
        check_accelerated(processor, forms_of_images()["list"], return_tensors=None)


@onevision_oracles
def test_onevision_forms_of_images(oracle: Oracle) -> None:
    check_forms_of_images(oracle, ONEVISION["small"], untyped=TRANSFORMERS_5 or oracle.backend == "pil")


@next_oracles
def test_what_falls_back(oracle: Oracle) -> None:
    picture = photographs()[1]
    check_fallback(oracle.build(**SMALL), lambda: picture, "resample", resample=0)
    if not TRANSFORMERS_5 and oracle.backend == "pil":
        narrow = Image.fromarray(noise(9, 250, np.random.default_rng(0)))
        uneven = oracle.build(**NEXT["uneven"])
        check_fallback(uneven, lambda: narrow, "read as channels", return_tensors="np")
    check_fallback(oracle.build(**{**SMALL, "image_grid_pinpoints": []}), lambda: picture, "no resolution")
