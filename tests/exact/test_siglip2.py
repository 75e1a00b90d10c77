"""SigLIP 2 (NaFlex) against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from families import check_forms_of_images, check_random_images, photographs, tensors
from references import Oracle, check_accelerated, check_fallback, oracles

OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "few patches": {"max_num_patches": 37},
    "patches of 8": {"patch_size": 8, "max_num_patches": 100},
    "patches of 14": {"patch_size": 14, "max_num_patches": 100, "resample": 3},
    "rescale only": {"do_normalize": False, "max_num_patches": 64},
}
every_oracle = pytest.mark.parametrize("oracle", oracles("Siglip2ImageProcessor"))


@every_oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_random_images(oracle: Oracle, name: str) -> None:
    check_random_images(oracle, {**OPTIONS[name], "do_convert_rgb": True}, {})


@every_oracle
def test_defaults_on_photographs(oracle: Oracle) -> None:
    check_accelerated(oracle.build(), photographs(), return_tensors=tensors(oracle))


@every_oracle
def test_forms_of_images(oracle: Oracle) -> None:
    check_forms_of_images(oracle, {"max_num_patches": 64, "do_convert_rgb": True})


@every_oracle
def test_what_falls_back(oracle: Oracle) -> None:
    check_fallback(oracle.build(), lambda: photographs()[1], "resample", resample=0)
