"""Sample images to tune and time on: real photographs where a package that ships some is installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from autosched.errors import ArgumentError

#: Photographs of scikit-image that are in its package and need no download.
_NAMES = ("astronaut", "chelsea", "coffee", "rocket")


def photographs() -> list[Image.Image]:
    """Real photographs, RGB; a synthetic scene where neither scikit-image nor scikit-learn is installed."""
    found: list[Image.Image] = []
    try:
        from skimage import data

        found += [Image.fromarray(np.asarray(getattr(data, name)())).convert("RGB") for name in _NAMES]
    except ImportError:
        pass
    try:
        from sklearn.datasets import load_sample_images

        found += [Image.fromarray(np.asarray(a)).convert("RGB") for a in load_sample_images().images]
    except ImportError:
        pass
    return found or [_scene()]


def _scene() -> Image.Image:
    """Smooth gradients with edges and some noise, 640 x 480."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:480, 0:640]
    planes = [128 + 100 * np.sin(x / (17 + 9 * c) + y / 31) * np.cos(y / (23 + 5 * c)) for c in range(3)]
    picture = np.stack(planes, -1) + 40 * ((x // 80 + y // 60) % 2)[..., None] + rng.normal(0, 4, (480, 640, 3))
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def specimens(samples: Mapping[str, Any]) -> Sequence[Image.Image]:
    """Images from the `samples` table of a workload: photographs brought to size.

    `sizes`: [width, height] pairs, each `count` times (default 1); or `random`: number of images with sides from
    `sides` = [least, most] and an aspect of at most `aspect` (default 2), seeded by `seed` (default 0).
    """
    sizes = [tuple(s) for s in samples.get("sizes", []) for _ in range(int(samples.get("count", 1)))]
    if "random" in samples:
        low, high = samples.get("sides", [256, 1046])
        rng = np.random.default_rng(int(samples.get("seed", 0)))
        limit = float(samples.get("aspect", 2))
        while len(sizes) < int(samples["random"]):
            width, height = (int(v) for v in rng.integers(low, high + 1, 2))
            if max(width, height) <= limit * min(width, height):
                sizes.append((width, height))
    if not sizes or any(len(s) != 2 or min(s) < 1 for s in sizes):
        raise ArgumentError(
            f"samples {dict(samples)} give no images; write sizes = [[width, height], ...] or random = 32"
        )
    pictures = photographs()
    return [pictures[i % len(pictures)].resize(size, Image.Resampling.BICUBIC) for i, size in enumerate(sizes)]
