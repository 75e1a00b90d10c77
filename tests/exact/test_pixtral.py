"""Pixtral and Mistral 3 against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import transformers
from families import check_forms_of_images, check_random_images, photographs, tensors
from references import TRANSFORMERS_5, Oracle, check_accelerated, check_fallback, oracles

PATCH = {"patch_size": {"height": 14, "width": 14}}
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "mistral3": {"size": {"longest_edge": 1540}, **PATCH},
    "shrunk": {"size": {"longest_edge": 70}, **PATCH},
    "oblong": {"size": {"height": 64, "width": 96}, "patch_size": {"height": 8, "width": 12}},
    "no resize": {"do_resize": False},
    "bilinear": {"resample": 2, "size": {"longest_edge": 64}},
    "rescale only": {"do_normalize": False, "size": {"longest_edge": 64}},
}
every_oracle = pytest.mark.parametrize("oracle", oracles("PixtralImageProcessor"))


@every_oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_random_images(oracle: Oracle, name: str) -> None:
    check_random_images(oracle, OPTIONS[name], {})


@every_oracle
def test_photographs(oracle: Oracle) -> None:
    check_accelerated(oracle.build(), photographs(), return_tensors=tensors(oracle))


@every_oracle
def test_forms_of_images(oracle: Oracle) -> None:
    check_forms_of_images(oracle, OPTIONS["shrunk"])


@every_oracle
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_images(oracle: Oracle, mode: str) -> None:
    """The slow processor of 4.57 places them on white."""
    image = photographs()[1].convert("RGBA")
    image.putalpha(image.getchannel("G"))
    check_accelerated(oracle.build(**OPTIONS["shrunk"]), image.convert(mode), return_tensors=tensors(oracle))


@every_oracle
def test_without_padding(oracle: Oracle) -> None:
    if not TRANSFORMERS_5:
        pytest.skip("4.57 always pads")
    processor = oracle.build(**OPTIONS["shrunk"], do_pad=False)
    check_accelerated(processor, photographs(), return_tensors=None)
    check_accelerated(processor, photographs()[0], return_tensors="np")


@every_oracle
def test_releases_that_always_pad(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """5.16 and before have do_pad among their options, unset, and do not listen to it."""
    if not TRANSFORMERS_5:
        pytest.skip("4.57 always pads")
    cls = getattr(transformers, oracle.class_name)
    # as if it were written in transformers
    release = {"__name__": cls.__module__, "computes": cls._preprocess}
    older = "def _preprocess(self, images, **options): return computes(self, images, **{**options, 'do_pad': True})"
    exec(older, release)
    monkeypatch.setattr(cls, "_preprocess", release["_preprocess"])
    processor = oracle.build(**OPTIONS["shrunk"], do_pad=None)
    check_accelerated(processor, photographs(), return_tensors="np")


@every_oracle
def test_what_falls_back(oracle: Oracle) -> None:
    check_fallback(oracle.build(), lambda: photographs()[1], "resample", resample=0)
