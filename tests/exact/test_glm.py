"""GLM-4.1V and 4.6V against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families import check_forms_of_images, check_random_images, photographs, tensors
from references import TRANSFORMERS_5, Oracle, check_accelerated, check_fallback, check_outcome, oracles

SMALL = {"size": {"shortest_edge": 28 * 28 * 2, "longest_edge": 28 * 28 * 60}}
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "small": SMALL,
    "patches of 16": {**SMALL, "patch_size": 16, "merge_size": 1},
    "rescale only": {**SMALL, "do_normalize": False},
}
NAMES = ["Glm4vImageProcessor", *(["Glm46VImageProcessor"] if TRANSFORMERS_5 else [])]
every_oracle = pytest.mark.parametrize("oracle", oracles("Glm4vImageProcessor"))


def sizes(rng: np.random.Generator) -> tuple[int, int]:
    """Moderate sizes, and in 5.x sides below one patch, which are enlarged first."""
    least = 6 if TRANSFORMERS_5 else 28
    return int(rng.integers(least, 260)), int(rng.integers(least, 260))


@every_oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_random_images(oracle: Oracle, name: str) -> None:
    check_random_images(oracle, OPTIONS[name], {}, sizes=sizes)


@pytest.mark.parametrize("oracle", [oracle for name in NAMES for oracle in oracles(name)])
def test_defaults_on_photographs(oracle: Oracle) -> None:
    check_accelerated(oracle.build(), photographs(), return_tensors=tensors(oracle))


@every_oracle
def test_forms_of_images(oracle: Oracle) -> None:
    check_forms_of_images(oracle, SMALL)


@every_oracle
def test_what_falls_back_or_fails(oracle: Oracle) -> None:
    processor = oracle.build(**SMALL)
    check_fallback(processor, lambda: photographs()[1], "do_resize is off", do_resize=False)
    if not TRANSFORMERS_5:
        drop_in = check_outcome(processor, lambda: photographs()[1].resize((27, 60)), path="huggingface")
        assert "has no size in 4.57" in drop_in.autosched_explain().reason
    too_narrow = photographs()[1].resize((30, 30 * 201))
    drop_in = check_outcome(processor, lambda: too_narrow, path="huggingface")
    assert "aspect ratio must be smaller than 200" in drop_in.autosched_explain().reason
