"""Idefics3 and SmolVLM against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from families import check_forms_of_images, check_random_images, forms_of_images, moderate, photographs, tensors
from references import TRANSFORMERS_5, Oracle, check_accelerated, check_fallback, logged, oracles

from autosched.hf import accelerate, arguments

TILE = {"max_image_size": {"longest_edge": 32}}
OPTIONS: dict[str, dict[str, Any]] = {
    "split": {**TILE, "size": {"longest_edge": 96}},
    "whole tiles": {**TILE, "size": {"height": 64, "width": 96}},
    "small": {**TILE, "size": {"longest_edge": 30}},
    "one tile": {**TILE, "size": {"longest_edge": 50}, "do_image_splitting": False},
    "no first resize": {**TILE, "do_resize": False},
    "grids": {**TILE, "size": {"longest_edge": 80}, "return_row_col_info": True},
    "bicubic": {**TILE, "size": {"longest_edge": 80}, "resample": 3},
    "rescale only": {**TILE, "size": {"longest_edge": 64}, "do_normalize": False},
}


every_oracle = pytest.mark.parametrize("oracle", oracles("Idefics3ImageProcessor"))


@every_oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_random_images(oracle: Oracle, name: str) -> None:
    call = {"return_row_col_info": True} if name == "grids" else {}
    settings = {key: value for key, value in OPTIONS[name].items() if key != "return_row_col_info"}
    check_random_images(oracle, settings, call, sizes=moderate)


@pytest.mark.parametrize("oracle", [*oracles("Idefics3ImageProcessor"), *oracles("SmolVLMImageProcessor")])
def test_defaults_on_photographs(oracle: Oracle) -> None:
    check_accelerated(oracle.build(), photographs(), return_tensors=tensors(oracle))


@every_oracle
def test_forms_of_images(oracle: Oracle) -> None:
    settings = OPTIONS["split"]
    if TRANSFORMERS_5 or oracle.backend == "torchvision":
        check_forms_of_images(oracle, settings)
        return
    images = forms_of_images()
    processor = oracle.build(**settings)
    for name in ("one", "list", "HWC", "nested", "tensors"):
        if name in images:
            check_accelerated(processor, images[name], return_tensors="np")
    # It resizes grey values and converts them afterwards.
    check_fallback(processor, lambda: images["grayscale"], "without do_convert_rgb", return_tensors="np",
                   do_convert_rgb=False)  # fmt: skip


@every_oracle
def test_samples_of_different_lengths(oracle: Oracle) -> None:
    one, two, three = forms_of_images()["list"]
    check_accelerated(oracle.build(**OPTIONS["split"]), [[one, two], [three]], return_tensors=tensors(oracle))


@every_oracle
def test_samples_without_images(oracle: Oracle) -> None:
    """Their place among rows and columns depends on the version."""
    processor, (one, two, _) = oracle.build(**OPTIONS["split"]), forms_of_images()["list"]
    for images in ([[one], []], [[], [one]], [[one, two], [], [one]]):
        call = {"return_tensors": tensors(oracle), "return_row_col_info": True}
        check_fallback(processor, lambda images=images: images, "a sample has no images", **call)


@pytest.mark.parametrize("oracle", [*oracles("Idefics3ImageProcessor"), *oracles("SmolVLMImageProcessor")])
@pytest.mark.parametrize("resample", [1, 3])
def test_what_is_said_once(oracle: Oracle, resample: int) -> None:
    """The fast processors of 4.57 have no lanczos, and warn in a process once."""
    processor = oracle.build(**OPTIONS["split"], resample=resample)
    drop_in, warnings = accelerate(processor), []
    for one in (drop_in, processor):
        with logged() as said:
            for _ in range(2):
                one(forms_of_images()["list"], return_tensors=tensors(oracle))
        warnings.append(said)
    assert drop_in.autosched_explain().accelerated
    assert warnings[0] == warnings[1]
    assert len(warnings[0]) == (resample == 1 and not TRANSFORMERS_5 and oracle.backend == "torchvision")


@every_oracle
def test_what_falls_back(oracle: Oracle) -> None:
    picture = photographs()[1]
    processor = oracle.build(**OPTIONS["split"])
    check_fallback(processor, lambda: picture, "do_pad is off", do_pad=False, return_tensors=tensors(oracle))
    check_fallback(processor, lambda: picture, "resample", resample=0, return_tensors=tensors(oracle))


@pytest.mark.skipif(TRANSFORMERS_5, reason="only the fast processor of 4.57 resizes floats")
@pytest.mark.parametrize("oracle", [o for o in oracles("Idefics3ImageProcessor") if o.id == "torchvision"])
def test_a_torch_that_sums_otherwise_falls_back(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arguments, "float_arithmetic", lambda: None)
    processor = oracle.build(**OPTIONS["split"])
    check_fallback(processor, lambda: photographs()[1], "order of operations", return_tensors="pt")
