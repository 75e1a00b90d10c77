"""Hugging Face's own Qwen-VL processors as oracles, in whichever form the installed transformers has them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import transformers
from transformers.utils import is_torch_available, is_torchvision_available

import autosched.hf

transformers.utils.logging.set_verbosity_error()

TRANSFORMERS_5 = int(transformers.__version__.split(".")[0]) >= 5
HAS_TORCH = is_torch_available()

CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def pixels(smallest: int, largest: int) -> dict[str, Any]:
    """Limits of the size rule, given in every way that some version of transformers listens to."""
    size = {"shortest_edge": smallest, "longest_edge": largest}
    return {"size": size, "min_pixels": smallest, "max_pixels": largest}


SETTINGS: dict[str, dict[str, Any]] = {
    "qwen2-vl": {**pixels(3136, 12845056), "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2, **CLIP},
    "qwen3-vl": {**pixels(65536, 16777216), "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, **HALF},
    "defaults": {},
    "small": {**pixels(4 * 28 * 28, 40 * 28 * 28), **CLIP},
}
"""Published settings, the classes' own, and one that shrinks images a lot."""


@dataclass(frozen=True)
class Oracle:
    """One Hugging Face processor class."""

    backend: str
    class_name: str

    def build(self, **settings: Any) -> Any:
        return getattr(transformers, self.class_name)(**settings)


_TORCHVISION = Oracle("torchvision", "Qwen2VLImageProcessor" if TRANSFORMERS_5 else "Qwen2VLImageProcessorFast")
_PIL = Oracle("pil", "Qwen2VLImageProcessorPil" if TRANSFORMERS_5 else "Qwen2VLImageProcessor")

ORACLES = [
    pytest.param(
        _TORCHVISION,
        id="torchvision",
        marks=pytest.mark.skipif(not is_torchvision_available(), reason="torchvision is not installed"),
    ),
    pytest.param(_PIL, id="pil"),
]
RETURN_TENSORS = [
    None,
    "np",
    pytest.param("pt", marks=pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")),
]


@dataclass(frozen=True)
class Outcome:
    """What a call gave: its values, or the type and text of its error."""

    values: dict[str, Any] | None
    error: tuple[type, str] | None


def outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return Outcome(dict(call()), None)
    except Exception as error:
        text = re.sub(r"\b0x[0-9a-f]+", "0x...", str(error))  # addresses of objects differ
        return Outcome(None, (type(error), text))


def assert_same_values(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    """Same keys in the same order, and the same types, dtypes, shapes and bits."""
    assert list(actual) == list(expected)
    for key, value in expected.items():
        assert type(actual[key]) is type(value), key
        assert actual[key].dtype == value.dtype, key
        ours, theirs = np.asarray(actual[key]), np.asarray(value)
        np.testing.assert_array_equal(ours, theirs, err_msg=key)
        assert ours.tobytes() == theirs.tobytes(), f"{key}: equal numbers, different bits"


def check_outcome(processor: Any, images: Callable[[], Any], **arguments: Any) -> Any:
    """Calls a processor and its drop-in and requires the same result or the same error; returns the drop-in.

    ``images`` makes the images anew for each, since decoding a file changes a PIL image.
    """
    drop_in = autosched.hf.accelerate(processor)
    expected = outcome(lambda: processor(images(), **arguments))
    actual = outcome(lambda: drop_in(images(), **arguments))
    assert actual.error == expected.error
    if expected.values is not None:
        assert actual.values is not None
        assert_same_values(actual.values, expected.values)
    return drop_in


def check_accelerated(processor: Any, images: Any, **arguments: Any) -> Any:
    """`check_outcome` of a call that must succeed on the kernels."""
    drop_in = check_outcome(processor, lambda: images, **arguments)
    explanation = drop_in.autosched_explain()
    assert explanation is not None, "the call raised before it reached the images"
    assert explanation.accelerated, str(explanation)
    return drop_in


def check_fallback(processor: Any, images: Callable[[], Any], reason: str, **arguments: Any) -> Any:
    """`check_outcome` of a call that must run Hugging Face's own code, for a reason that contains ``reason``."""
    drop_in = check_outcome(processor, images, **arguments)
    explanation = drop_in.autosched_explain()
    assert explanation is not None
    assert not explanation.accelerated
    assert reason in explanation.reason
    return drop_in
