"""The pipeline of InternVL2.5's model card: Pillow's resize, crops, ToTensor and Normalize, image by image."""

from __future__ import annotations

from typing import Any

from PIL import Image

from autosched.vlm.preparation import IMAGENET_MEAN, IMAGENET_STD
from experiments.family import Family
from experiments.implementation import IMPLEMENTATIONS, Images, Implementation, NotAvailableError, Output, Run
from experiments.workloads import Workload

_TILE, _MOST = 448, 12


def _grid(width: int, height: int) -> tuple[int, int]:
    """Columns and rows: of the grids of at most 12 tiles the one of the closest aspect, as the card chooses."""
    grids = {(c, r) for c in range(1, _MOST + 1) for r in range(1, _MOST + 1) if c * r <= _MOST}
    best, nearest = (1, 1), float("inf")
    for columns, rows in sorted(grids, key=lambda grid: grid[0] * grid[1]):
        distance = abs(width / height - columns / rows)
        if distance < nearest or (distance == nearest and width * height > 0.5 * _TILE**2 * columns * rows):
            best, nearest = (columns, rows), distance
    return best


def _tiles(image: Image.Image) -> list[Image.Image]:
    columns, rows = _grid(*image.size)
    resized = image.resize((columns * _TILE, rows * _TILE))  # bicubic is Pillow's default, and the card's transform
    tiles = [
        resized.crop((x * _TILE, y * _TILE, (x + 1) * _TILE, (y + 1) * _TILE))
        for y in range(rows)
        for x in range(columns)
    ]
    return tiles if len(tiles) == 1 else [*tiles, image.resize((_TILE, _TILE))]


def _card(family: Family, workload: Workload, threads: int) -> Run:
    try:
        import torch
        from torchvision import transforms
    except ImportError as error:
        raise NotAvailableError("torchvision is not installed") from error
    steps: Any = transforms.Compose(
        [
            transforms.Lambda(lambda image: image.convert("RGB") if image.mode != "RGB" else image),
            transforms.Resize((_TILE, _TILE), interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize(mean=IMAGENET_MEAN, std=IMAGENET_STD),
        ]
    )

    def run(images: Images) -> Output:
        return {"pixel_values": torch.cat([torch.stack([steps(tile) for tile in _tiles(i)]) for i in images])}

    return run


IMPLEMENTATIONS.add(Implementation("model-card", "InternVL2.5's model card", "model-card", _card))
