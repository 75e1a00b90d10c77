"""PIL images of several blocks of memory, as large ones are: every family reads them there, with the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families import EACH, FAMILIES, HALF, noise, tensors
from PIL import Image
from references import Oracle, check_accelerated, oracles

from autosched.hf.images import as_pixels
from autosched.vlm import parts
from autosched.vlm.pillow_rows import PillowRows

pytestmark = pytest.mark.usefixtures("small_blocks")
IMAGES = 25

#: Images in squares of a colour, in pieces, and images that are made of images.
FURTHER: list[tuple[str, dict[str, Any]]] = [
    ("LlavaImageProcessor", {"do_pad": True, "size": {"height": 60, "width": 60}, "do_center_crop": False}),
    (
        "Gemma3ImageProcessor",
        {
            **FAMILIES["Gemma3ImageProcessor"],
            "do_pan_and_scan": True,
            "pan_and_scan_min_crop_size": 16,
            "pan_and_scan_max_num_crops": 4,
            "pan_and_scan_min_ratio_to_activate": 1.2,
        },
    ),
    ("LlavaNextImageProcessor", {**FAMILIES["LlavaNextImageProcessor"], "crop_size": {"height": 24, "width": 24}}),
    ("LlavaOnevisionImageProcessor", {"size": {"height": 32, "width": 32}, "image_grid_pinpoints": [[32, 64]], **HALF}),
]
CASES = [
    *EACH,
    *(
        pytest.param(oracle.values[0], settings, id=f"{name}-{oracle.id}-{index}", marks=oracle.marks)
        for index, (name, settings) in enumerate(FURTHER)
        for oracle in oracles(name)
    ),
]


@pytest.mark.parametrize(("oracle", "settings"), CASES)
def test_every_family(oracle: Oracle, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches that are computed at once, and image by image where images are made of images."""
    processor = oracle.build(**settings)
    rng = np.random.default_rng(11)
    for index in range(IMAGES):
        monkeypatch.setattr(parts, "_MADE", 1 if index % 2 else 1 << 22)
        sizes = [(int(rng.integers(30, 260)), int(rng.integers(60, 500))) for _ in range(index % 3 + 1)]
        images = [Image.fromarray(noise(*size, rng)) for size in sizes]
        assert all(isinstance(as_pixels(image), PillowRows) for image in images)
        check_accelerated(processor, images, return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", oracles("LlavaOnevisionImageProcessor"))
def test_samples_in_squares(oracle: Oracle) -> None:
    rng = np.random.default_rng(12)
    processor = oracle.build(**FURTHER[-1][1])
    images = [Image.fromarray(noise(int(rng.integers(30, 200)), 150, rng)) for _ in range(5)]
    check_accelerated(processor, [images[:3], images[3:]], return_tensors=tensors(oracle))
