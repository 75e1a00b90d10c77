"""What every family's exactness test checks: random images of random sizes under each set of options, batched, nested
and in every form that images come in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image
from references import CLIP, HALF, HAS_TORCH, TRANSFORMERS_5, Oracle, check_accelerated, oracles

if HAS_TORCH:
    import torch

    torch.set_num_threads(1)  # the images are small, and tests run next to each other

_TILES = {"crop_to_patches": True, "size": {"height": 32, "width": 32}}
_NEXT = {
    "size": {"shortest_edge": 32},
    "crop_size": {"height": 32, "width": 32},
    "image_grid_pinpoints": [[32, 64], [64, 32]],
}
#: Every family in settings that small images suffice for.
FAMILIES: dict[str, dict[str, Any]] = {
    "Qwen2VLImageProcessor": CLIP,
    "GotOcr2ImageProcessor": _TILES,
    "LlavaNextImageProcessor": _NEXT,
    "PixtralImageProcessor": {"size": {"longest_edge": 64}, "patch_size": {"height": 16, "width": 16}},
    "Gemma3ImageProcessor": {"size": {"height": 40, "width": 40}, **HALF},
    "SiglipImageProcessor": {"size": {"height": 32, "width": 32}},
    "Siglip2ImageProcessor": {"max_num_patches": 37},
    "Idefics3ImageProcessor": {"max_image_size": {"longest_edge": 32}, "size": {"longest_edge": 64}},
}
EACH = [
    pytest.param(oracle.values[0], settings, id=f"{name}-{oracle.id}")
    for name, settings in FAMILIES.items()
    for oracle in oracles(name)
    if TRANSFORMERS_5 or name != "Idefics3ImageProcessor" or oracle.id == "pil"
]

IMAGES = 102
"""Random images for each backend and set of options."""

Sizes = Callable[[np.random.Generator], tuple[int, int]]


def small(rng: np.random.Generator) -> tuple[int, int]:
    """Heights and widths that are quick: mostly moderate, some narrow, some tiny."""
    kind = rng.integers(0, 6)
    if kind == 0:
        return int(rng.integers(4, 40)), int(rng.integers(4, 40))
    if kind == 1:
        sides = [int(rng.integers(4, 30)), int(rng.integers(60, 300))]
        rng.shuffle(sides)
        return sides[0], sides[1]
    return int(rng.integers(30, 260)), int(rng.integers(30, 260))


def moderate(rng: np.random.Generator) -> tuple[int, int]:
    """Sizes of moderate aspect, for families that make hundreds of tiles, or none, of narrow images."""
    return int(rng.integers(20, 200)), int(rng.integers(20, 200))


def noise(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Random uint8 ``[height, width, 3]``; a third has only 0 and 255, which makes filters overshoot."""
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.where(image > 127, np.uint8(255), np.uint8(0)) if rng.integers(0, 3) == 0 else image


def tensors(oracle: Oracle) -> str:
    """A type of tensors that this processor makes; the fast ones of 4.57 make torch's only."""
    return "np" if TRANSFORMERS_5 or oracle.backend == "pil" else "pt"


def check_random_images(
    oracle: Oracle, settings: Mapping[str, Any], call: Mapping[str, Any], sizes: Sizes = small, together: int = 3
) -> None:
    """At least 100 random images, in batches of one to `together`, must be accelerated and the same bits."""
    rng = np.random.default_rng(7)
    processor = oracle.build(**settings)
    left = IMAGES
    while left > 0:
        count = min(int(rng.integers(1, together + 1)), left)
        images = [Image.fromarray(noise(*sizes(rng), rng)) for _ in range(count)]
        check_accelerated(processor, images if count > 1 else images[0], return_tensors=tensors(oracle), **call)
        left -= count


def photographs() -> list[Image.Image]:
    """Real photographs, brought to a quick size."""
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    return [
        Image.fromarray(skimage_data.coffee()).resize((500, 333)),
        Image.fromarray(skimage_data.astronaut()).resize((230, 230)),
    ]


def forms_of_images() -> dict[str, Any]:
    """The same few images as PIL images, arrays and tensors, alone, in lists and nested."""
    rng = np.random.default_rng(3)
    arrays = [noise(70, 90, rng), noise(64, 50, rng), noise(40, 120, rng)]
    pictures = [Image.fromarray(a) for a in arrays]
    made: dict[str, Any] = {
        "one": pictures[0],
        "list": pictures,
        "HWC": arrays,
        "CHW": [a.transpose(2, 0, 1).copy() for a in arrays],
        "nested": [pictures[:2], pictures[2:]],
        "grayscale": [pictures[0].convert("L"), pictures[1]],
    }
    if HAS_TORCH:
        made["tensors"] = [torch.from_numpy(a).permute(2, 0, 1) for a in arrays]
    return made


def check_forms_of_images(oracle: Oracle, settings: Mapping[str, Any], *, untyped: bool = True, **call: Any) -> None:
    """Every form of images, with every type of tensors that transformers has for it, and none where `untyped`."""
    processor = oracle.build(**settings)
    kinds = [tensors(oracle), *(["pt"] if HAS_TORCH and tensors(oracle) != "pt" else [])]
    for images in forms_of_images().values():
        for kind in kinds:
            check_accelerated(processor, images, return_tensors=kind, **call)
    if untyped:
        check_accelerated(processor, forms_of_images()["list"], return_tensors=None, **call)


def supported(*, slow: bool, oracle: Oracle) -> bool:
    """Whether an option exists where this oracle is: the slow processors of 4.57 know fewer."""
    return slow or TRANSFORMERS_5 or oracle.backend != "pil"
