"""bfloat16 and float16 values are what `.to(dtype)` makes of Hugging Face's, in every family."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from families import EACH, noise
from PIL import Image
from references import CLIP, TRANSFORMERS_5, Oracle, assert_same_values, oracles

from autosched.errors import ArgumentError
from autosched.hf import accelerate

torch = pytest.importorskip("torch")

QWEN = pytest.mark.parametrize("oracle", oracles("Qwen2VLImageProcessor"))


def every_byte() -> Image.Image:
    """An image that no resize of Qwen-VL changes, with each byte in each channel."""
    ramp = np.arange(56 * 56 * 3).reshape(3, 56, 56).transpose(1, 2, 0)
    return Image.fromarray(ramp.astype(np.uint8))


def images() -> list[Image.Image]:
    rng = np.random.default_rng(5)
    return [Image.fromarray(noise(*size, rng)) for size in ((70, 90), (64, 50), (100, 100))]


def cast(feature: Any, dtype: Any) -> dict[str, Any]:
    """What `.to(dtype)` makes of the tensors of a call."""
    return {name: value.to(dtype) if name == "pixel_values" else value for name, value in dict(feature).items()}


@pytest.mark.parametrize(("oracle", "settings"), EACH)
def test_every_family(oracle: Oracle, settings: dict[str, Any]) -> None:
    processor = oracle.build(**settings)
    drop_in = accelerate(processor, dtype=torch.bfloat16)
    given = images()
    assert_same_bits(drop_in(given, return_tensors="pt"), cast(processor(given, return_tensors="pt"), torch.bfloat16))
    assert drop_in.autosched_explain().accelerated, drop_in.autosched_explain()


def assert_same_bits(ours: Any, theirs: dict[str, Any]) -> None:
    """As `assert_same_values`, for tensors of bfloat16 too."""
    ours = dict(ours)
    assert ours["pixel_values"].dtype == theirs["pixel_values"].dtype

    def bits(values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "pixel_values": values["pixel_values"].view(torch.int16)}

    assert_same_values(bits(ours), bits(theirs))


@QWEN
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("steps", [{}, {"image_std": [1e36, 3e35, 2e-3]}], ids=["clip", "subnormal"])
def test_every_byte(oracle: Oracle, dtype: Any, steps: dict[str, Any]) -> None:
    """Including constants that make subnormal and infinite values."""
    processor = oracle.build(**{**CLIP, **steps})
    drop_in = accelerate(processor, dtype=dtype)
    given = [every_byte(), *images()]
    assert_same_bits(drop_in(given, return_tensors="pt"), cast(processor(given, return_tensors="pt"), dtype))
    assert drop_in.autosched_explain().accelerated


@QWEN
def test_what_the_kernels_do_not_cover_is_rounded_too(oracle: Oracle) -> None:
    processor = oracle.build(**CLIP)
    given = np.random.default_rng(0).random((70, 90, 3)).astype(np.float32)
    call: dict[str, Any] = {"do_rescale": False, "return_tensors": "pt"}
    for dtype in (torch.bfloat16, torch.float16):
        drop_in = accelerate(processor, dtype=dtype)
        assert_same_bits(drop_in(given, **call), cast(processor(given, **call), dtype))
        assert not drop_in.autosched_explain().accelerated


@QWEN
def test_numpy_has_float16_and_no_bfloat16(oracle: Oracle) -> None:
    processor = oracle.build(**CLIP)
    if TRANSFORMERS_5 or oracle.backend == "pil":
        expected = dict(processor(images(), return_tensors="np"))
        made = dict(accelerate(processor, dtype="float16")(images(), return_tensors="np"))
        assert_same_values(made, {**expected, "pixel_values": expected["pixel_values"].astype(np.float16)})
        for given in (images(), np.zeros((70, 90, 3), np.float32)):
            with pytest.raises(ArgumentError, match=r"numpy has no bfloat16.*return_tensors='pt'"):
                accelerate(processor, dtype="bfloat16")(given, return_tensors="np")


@QWEN
def test_the_type_stays_with_the_processor(oracle: Oracle) -> None:
    processor = oracle.build(**CLIP)
    drop_in = accelerate(processor, dtype=torch.bfloat16)
    copies = [accelerate(drop_in), accelerate(drop_in, threads=1), pickle.loads(pickle.dumps(drop_in))]
    for made in copies:
        assert made(images(), return_tensors="pt")["pixel_values"].dtype == torch.bfloat16
    back = accelerate(drop_in, dtype=torch.float32)
    assert_same_values(dict(back(images(), return_tensors="pt")), dict(processor(images(), return_tensors="pt")))


def test_other_types_are_refused() -> None:
    processor = oracles("Qwen2VLImageProcessor")[1].values[0].build()
    for dtype in (torch.float64, np.int8, "half"):
        with pytest.raises(ArgumentError, match="values can be float32, bfloat16, float16"):
            accelerate(processor, dtype=dtype)
