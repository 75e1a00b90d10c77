"""InternVL3 and 3.5 (the GOT-OCR2 class) against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families import check_forms_of_images, check_random_images, noise, photographs, small, tensors
from PIL import Image
from references import Oracle, check_accelerated, check_fallback, oracles

from autosched.vlm.internvl import InternVL, dynamic_tiles
from autosched.vlm.preparation import Preparation

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
TILES = {"crop_to_patches": True, "size": {"height": 32, "width": 32}}
OPTIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "one tile": {"size": {"height": 32, "width": 32}, **IMAGENET},
    "tiles": {**TILES, **IMAGENET},
    "oblong tiles": {**TILES, "size": {"height": 24, "width": 40}},
    "few tiles": {**TILES, "min_patches": 2, "max_patches": 6},
    "one at most": {**TILES, "max_patches": 1},
    "bilinear": {**TILES, "resample": 2},
    "rescale only": {**TILES, "do_normalize": False},
}
every_oracle = pytest.mark.parametrize("oracle", oracles("GotOcr2ImageProcessor"))


@every_oracle
@pytest.mark.parametrize("name", OPTIONS)
def test_random_images(oracle: Oracle, name: str) -> None:
    check_random_images(oracle, OPTIONS[name], {})


@every_oracle
def test_published_settings_on_photographs(oracle: Oracle) -> None:
    processor = oracle.build(size={"height": 448, "width": 448}, **IMAGENET)
    check_accelerated(processor, photographs(), crop_to_patches=True, return_tensors=tensors(oracle))
    check_accelerated(processor, photographs()[0], return_tensors=tensors(oracle))


@every_oracle
def test_forms_of_images(oracle: Oracle) -> None:
    check_forms_of_images(oracle, TILES)
    check_forms_of_images(oracle, OPTIONS["one tile"])


@every_oracle
def test_what_falls_back(oracle: Oracle) -> None:
    picture = photographs()[1]
    check_fallback(oracle.build(**TILES), lambda: picture, "do_resize is off", do_resize=False)
    check_fallback(oracle.build(**TILES), lambda: picture, "resample", resample=0)


def model_card(image: Image.Image, side: int, least: int, most: int) -> np.ndarray:
    """What the model card of InternVL2.5 computes, with the libraries it uses."""
    import torch
    from torchvision import transforms

    image = image.convert("RGB")
    grids = {
        (columns, rows)
        for n in range(least, most + 1)
        for columns in range(1, n + 1)
        for rows in range(1, n + 1)
        if least <= columns * rows <= most
    }
    best, distance = (1, 1), float("inf")
    for columns, rows in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        off = abs(image.width / image.height - columns / rows)
        if off < distance:
            best, distance = (columns, rows), off
        elif off == distance and image.width * image.height > 0.5 * side * side * columns * rows:
            best = columns, rows
    canvas = image.resize((side * best[0], side * best[1]))
    boxes = [(side * x, side * y, side * (x + 1), side * (y + 1)) for y in range(best[1]) for x in range(best[0])]
    tiles = [canvas.crop(box) for box in boxes]
    if len(tiles) > 1:
        tiles.append(image.resize((side, side)))
    bicubic = transforms.InterpolationMode.BICUBIC
    steps = transforms.Compose(
        [
            transforms.Resize((side, side), interpolation=bicubic),
            transforms.ToTensor(),
            transforms.Normalize(mean=IMAGENET["image_mean"], std=IMAGENET["image_std"]),
        ]
    )
    return torch.stack([steps(tile) for tile in tiles]).numpy()


@pytest.mark.parametrize(("side", "most"), [(32, 12), (448, 6)])
def test_the_pipeline_of_internvl_2_5(side: int, most: int) -> None:
    pytest.importorskip("torchvision", reason="the model card uses torchvision")
    rng = np.random.default_rng(5)
    images = [Image.fromarray(noise(*small(rng), rng)) for _ in range(100)] if side < 100 else photographs()
    settings = InternVL(
        Preparation("pil", "bicubic", tuple(IMAGENET["image_mean"]), tuple(IMAGENET["image_std"])),
        (side, side),
        most=most,
    )
    pixel_values, num_patches_list = dynamic_tiles(images, settings, threads=1)
    every = np.split(pixel_values, np.cumsum(num_patches_list)[:-1])
    for image, tiles in zip(images, every, strict=True):
        expected = model_card(image, side, 1, most)
        assert tiles.shape == expected.shape and tiles.tobytes() == expected.tobytes(), image.size
