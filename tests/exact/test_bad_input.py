"""Bad input, family by family: the same error as Hugging Face's own processor, or the same result where it has one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from references import Oracle, check_outcome, oracles, outcome

from autosched.hf import accelerate

#: Names as 5.x calls the torchvision form, and the settings that make calls quick.
FAMILIES: dict[str, dict[str, Any]] = {
    "Qwen2VLImageProcessor": {},
    "Glm4vImageProcessor": {},
    "GotOcr2ImageProcessor": {"size": {"height": 32, "width": 32}, "crop_to_patches": True},
    "CLIPImageProcessor": {},
    "SiglipImageProcessor": {},
    "Siglip2ImageProcessor": {},
    "LlavaImageProcessor": {},
    "LlavaNextImageProcessor": {},
    "LlavaOnevisionImageProcessor": {},
    "PixtralImageProcessor": {},
    "Gemma3ImageProcessor": {"size": {"height": 64, "width": 64}},
    "Idefics3ImageProcessor": {},
    "SmolVLMImageProcessor": {},
}
ORACLES = [
    pytest.param(*parameter.values, settings, id=f"{name}-{parameter.id}", marks=parameter.marks)
    for name, settings in FAMILIES.items()
    for parameter in oracles(name)
]


def picture(width: int = 40, height: int = 30) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


IMAGES: dict[str, Callable[[], Any]] = {
    "no pixels": lambda: Image.new("RGB", (0, 5)),
    "an array without pixels": lambda: np.zeros((0, 10, 3), np.uint8),
    "one of several without pixels": lambda: [picture(), Image.new("RGB", (5, 0))],
    "five channels": lambda: np.zeros((30, 40, 5), np.uint8),
    "two channels": lambda: np.zeros((2, 30, 40), np.uint8),
    "no channels": lambda: np.zeros((30, 40), np.uint8),
    "a line": lambda: np.zeros(30, np.uint8),
    "objects": lambda: np.full((4, 4, 3), None, object),
    "booleans": lambda: np.ones((30, 40, 3), bool),
    "a number": lambda: 3,
    "nothing": lambda: None,
    "an empty list": list,
    "an empty sample": lambda: [[]],
    "a dictionary": lambda: {"image": picture()},
    "a file that does not exist": lambda: "/nowhere/at/all.png",
    "images and numbers": lambda: [picture(), 3],
    "bytes": lambda: b"\x89PNG",
    "a tuple": lambda: (picture(), picture(20, 50)),
    "a tuple of samples": lambda: ([picture()], [picture(20, 50), picture()]),
    "samples that are tuples": lambda: [(picture(20, 50), picture()), (picture(),)],
    "a tuple of empty samples": lambda: ([], []),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "tensors of a library that does not exist": {"return_tensors": "xyz"},
    "no such filter": {"resample": 77},
    "a filter by name": {"resample": "bicubic"},
    "two means": {"image_mean": [0.5, 0.5]},
    "a mean of text": {"image_mean": "half"},
    "a deviation of zero": {"image_std": [0.0, 0.5, 0.5]},
    "a factor of text": {"rescale_factor": "1/255"},
    "a size of text": {"size": "large"},
    "a size with other keys": {"size": {"depth": 3}},
    "a negative size": {"size": {"height": -4, "width": 20}},
    "no size": {"size": {}},
    "an unknown layout": {"data_format": "sideways"},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("oracle", "settings"), ORACLES)
def test_images(oracle: Oracle, settings: dict[str, Any]) -> None:
    processor = oracle.build(**settings)
    for make in IMAGES.values():
        check_outcome(processor, make, path="either", return_tensors="pt")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("oracle", "settings"), ORACLES)
def test_options(oracle: Oracle, settings: dict[str, Any]) -> None:
    processor = oracle.build(**settings)
    for options in OPTIONS.values():
        check_outcome(processor, picture, path="either", **{"return_tensors": "pt", **options})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("oracle", "settings"), ORACLES)
def test_extreme_aspects(oracle: Oracle, settings: dict[str, Any]) -> None:
    """Wider than 200 times its height is an error for some; others shrink the short side to nothing."""
    processor = oracle.build(**settings)
    for size in ((1, 1), (3, 1), (1, 250), (900, 4)):
        check_outcome(processor, lambda size=size: picture(*size), path="either", return_tensors="pt")


@pytest.mark.parametrize(("oracle", "settings"), ORACLES)
@pytest.mark.parametrize("arguments", [{"foo": 1}, {"foo": 1, "size": {}}, {"size": {"depth": 3}}], ids=str)
def test_what_is_said_first_of_several_mistakes(
    oracle: Oracle, settings: dict[str, Any], arguments: dict[str, Any]
) -> None:
    processor = oracle.build(**settings)
    for make in (IMAGES["a tuple"], IMAGES["a number"], IMAGES["images and numbers"]):
        said = []
        for one in (processor, accelerate(processor)):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                error = outcome(lambda one=one, make=make: one(make(), return_tensors="pt", **arguments)).error
            said.append((error, [(warning.category, str(warning.message)) for warning in caught]))
        assert said[1] == said[0]
