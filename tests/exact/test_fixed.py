"""CLIP, SigLIP and LLaVA against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families import check_forms_of_images, check_random_images, photographs, small, supported, tensors
from PIL import Image
from references import (
    CLIP,
    HALF,
    TRANSFORMERS_5,
    Oracle,
    assert_same_values,
    check_accelerated,
    check_fallback,
    oracles,
)

from autosched.hf import accelerate

#: Settings of published checkpoints, the classes' own, and every option.
OPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    "CLIPImageProcessor": {
        "defaults": {},
        "llava-1.5": {"size": {"shortest_edge": 336}, "crop_size": {"height": 336, "width": 336}, **CLIP},
        "odd crop": {"size": {"shortest_edge": 40}, "crop_size": {"height": 51, "width": 33}},
        "larger crop": {"size": {"shortest_edge": 20}, "crop_size": {"height": 40, "width": 61}},
        "fixed": {"size": {"height": 37, "width": 53}, "do_center_crop": False},
        "no resize": {"do_resize": False, "crop_size": {"height": 48, "width": 48}},
        "bilinear": {"resample": 2, "size": {"shortest_edge": 30}, "crop_size": {"height": 30, "width": 30}},
        "rescale only": {"do_normalize": False, "size": {"height": 32, "width": 32}},
        "normalize only": {"do_rescale": False, "size": {"height": 32, "width": 32}},
    },
    "SiglipImageProcessor": {
        "defaults": {},
        "so400m": {"size": {"height": 384, "width": 384}, **HALF},
        "oblong": {"size": {"height": 30, "width": 45}},
    },
    "LlavaImageProcessor": {
        "defaults": {},
        "square": {"do_pad": True, "size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}},
        "square and crop": {
            "do_pad": True,
            "size": {"height": 60, "width": 60},
            "crop_size": {"height": 48, "width": 40},
        },
    },
}
#: What only the processors of 5.x and the fast ones of 4.57 take.
NEWER: dict[str, dict[str, dict[str, Any]]] = {
    "CLIPImageProcessor": {
        "both edges": {"size": {"shortest_edge": 40, "longest_edge": 60}, "crop_size": {"height": 40, "width": 40}},
        "largest": {"size": {"max_height": 150, "max_width": 170}, "crop_size": {"height": 40, "width": 40}},
    },
}
CASES = [
    pytest.param(oracle.values[0], options, kind == 0, id=f"{name}-{oracle.id}-{label}", marks=oracle.marks)
    for kind, table in enumerate((OPTIONS, NEWER))
    for name, sets in table.items()
    for label, options in sets.items()
    for oracle in oracles(name)
]


@pytest.mark.parametrize(("oracle", "options", "slow"), CASES)
def test_random_images(oracle: Oracle, options: dict[str, Any], slow: bool) -> None:
    if supported(slow=slow, oracle=oracle):
        check_random_images(oracle, options, {})
    else:
        check_fallback(oracle.build(**options), lambda: photographs()[0], "size has")


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57's classes resolve anew in every call")
@pytest.mark.parametrize(("oracle", "options", "slow"), CASES)
def test_sizes_that_came_before(oracle: Oracle, options: dict[str, Any], slow: bool) -> None:
    """Calls for them are repeated, but for images that are put in a square first."""
    processor = oracle.build(**options)
    fast = accelerate(processor)
    rng = np.random.default_rng(5)
    for width, height in [(90, 70), (90, 70), (41, 130), (90, 70), (41, 130), (41, 130), (90, 70)]:
        image = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        assert_same_values(fast(image, return_tensors="pt"), processor(image, return_tensors="pt"))
        assert fast.autosched_explain().accelerated
    replays = fast._autosched_state.resolved["pt"].replays
    assert len(replays) == 2 and all((made is None) == bool(options.get("do_pad")) for made in replays.values())


@pytest.mark.parametrize("oracle", [o for name in OPTIONS for o in oracles(name)])
def test_forms_of_images_and_photographs(oracle: Oracle) -> None:
    settings = {"size": {"height": 40, "width": 40}, "do_convert_rgb": True}
    check_forms_of_images(oracle, settings)
    check_accelerated(oracle.build(), photographs(), return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
def test_what_falls_back(oracle: Oracle) -> None:
    processor = oracle.build(size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32})
    picture = photographs()[1]
    check_fallback(processor, lambda: picture, "resample", resample=0)
    check_fallback(processor, lambda: picture, "image_mean", image_mean=[0.5])
    check_fallback(processor, lambda: [picture, picture.resize((50, 60))], "different sizes", do_resize=False,
                   do_center_crop=False)  # fmt: skip
    if TRANSFORMERS_5:
        check_fallback(processor, lambda: picture, "do_pad", do_pad=True)


def test_sizes_are_small() -> None:
    """The random sizes have the kinds that matter: narrow and tiny ones among them."""
    import numpy as np

    rng = np.random.default_rng(7)
    sizes = [small(rng) for _ in range(100)]
    assert any(min(s) < 10 for s in sizes) and any(max(s) > 5 * min(s) for s in sizes)
