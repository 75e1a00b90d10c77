"""Gemma 3, with pan and scan and without, against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from families import check_forms_of_images, check_random_images, photographs, tensors
from references import Oracle, check_accelerated, check_fallback, oracles

SMALL = {"size": {"height": 48, "width": 48}}
SCAN = {
    **SMALL,
    "do_pan_and_scan": True,
    "pan_and_scan_min_crop_size": 16,
    "pan_and_scan_max_num_crops": 4,
    "pan_and_scan_min_ratio_to_activate": 1.2,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "oblong": {"size": {"height": 30, "width": 52}},
    "scan": SCAN,
    "scan coarsely": {**SCAN, "pan_and_scan_min_crop_size": 60, "pan_and_scan_max_num_crops": 3},
    "bicubic": {**SMALL, "resample": 3},
    "rescale only": {**SMALL, "do_normalize": False},
}
every_oracle = pytest.mark.parametrize("oracle", oracles("Gemma3ImageProcessor"))


@every_oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_random_images(oracle: Oracle, name: str) -> None:
    check_random_images(oracle, {**OPTIONS[name], "do_convert_rgb": True}, {})


@every_oracle
def test_published_size_on_photographs(oracle: Oracle) -> None:
    processor = oracle.build(size={"height": 896, "width": 896})
    check_accelerated(processor, photographs(), return_tensors=tensors(oracle))


@every_oracle
def test_forms_of_images(oracle: Oracle) -> None:
    check_forms_of_images(oracle, {**SMALL, "do_convert_rgb": True})
    check_forms_of_images(oracle, {**SCAN, "do_convert_rgb": True})


@every_oracle
def test_what_falls_back(oracle: Oracle) -> None:
    picture = photographs()[1]
    check_fallback(oracle.build(**SMALL), lambda: picture, "do_resize is off", do_resize=False)
    check_fallback(oracle.build(**SMALL), lambda: picture, "resample", resample=0)
