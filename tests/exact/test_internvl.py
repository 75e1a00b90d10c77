"""InternVL3 and 3.5 (the GOT-OCR2 class) against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from families import check_forms_of_images, check_random_images, photographs, tensors
from references import Oracle, check_accelerated, check_fallback, oracles

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
TILES = {"crop_to_patches": True, "size": {"height": 32, "width": 32}}
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "one tile": {"size": {"height": 32, "width": 32}, **IMAGENET},
    "tiles": {**TILES, **IMAGENET},
    "oblong tiles": {**TILES, "size": {"height": 24, "width": 40}},
    "few tiles": {**TILES, "min_patches": 2, "max_patches": 6},
    "one at most": {**TILES, "max_patches": 1},
    "bilinear": {**TILES, "resample": 2},
    "rescale only": {**TILES, "do_normalize": False},
}
every_oracle = pytest.mark.parametrize("oracle", oracles("GotOcr2ImageProcessor"))


@every_oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_random_images(oracle: Oracle, name: str) -> None:
    check_random_images(oracle, OPTIONS[name], {})


@every_oracle
def test_published_settings_on_photographs(oracle: Oracle) -> None:
    processor = oracle.build(size={"height": 448, "width": 448}, **IMAGENET)
    check_accelerated(processor, photographs(), crop_to_patches=True, return_tensors=tensors(oracle))
    check_accelerated(processor, photographs()[0], return_tensors=tensors(oracle))


@every_oracle
def test_forms_of_images(oracle: Oracle) -> None:
    check_forms_of_images(oracle, TILES)
    check_forms_of_images(oracle, OPTIONS["one tile"])


@every_oracle
def test_what_falls_back(oracle: Oracle) -> None:
    picture = photographs()[1]
    check_fallback(oracle.build(**TILES), lambda: picture, "do_resize is off", do_resize=False)
    check_fallback(oracle.build(**TILES), lambda: picture, "resample", resample=0)
