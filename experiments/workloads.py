"""What is preprocessed: named lists of photographs of given sizes, with the limits of the size rule."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from PIL import Image

from experiments.photographs import SIZES, photograph

Size = tuple[int, int]

#: Limits of the published Qwen2.5-VL settings, in pixels.
LEAST_PIXELS, MOST_PIXELS = 3136, 12845056
#: A limit that deployments choose, about 1280 tokens.
SERVED_PIXELS = 1003520


@dataclass(frozen=True)
class Workload:
    """Images that are given to a processor in one call.

    Attributes:
        name: as on the command line.
        title: as in tables and figures.
        sizes: width and height of each image, in pixels.
        min_pixels, max_pixels: limits of the size that an image is resized to.
    """

    name: str
    title: str
    sizes: tuple[Size, ...]
    min_pixels: int = LEAST_PIXELS
    max_pixels: int = MOST_PIXELS

    def images(self) -> list[Image.Image]:
        """The images, decoded; the same ones in every process."""
        return [photograph(index, *size) for index, size in enumerate(self.sizes)]

    def scaled_down(self, divisor: int) -> Workload:
        """The same with all sides divided, so that images are resized by about the same ratios."""
        return replace(
            self,
            sizes=tuple((max(1, width // divisor), max(1, height // divisor)) for width, height in self.sizes),
            min_pixels=max(1, self.min_pixels // divisor**2),
            max_pixels=self.max_pixels // divisor**2,
        )


def mixed_sizes(count: int, least: int, most: int, largest_aspect: float, seed: int) -> tuple[Size, ...]:
    """Sizes with sides that are uniform in [least, most], without those of a larger aspect ratio."""
    generator = random.Random(seed)
    sizes: list[Size] = []
    while len(sizes) < count:
        width, height = generator.randint(least, most), generator.randint(least, most)
        if max(width, height) <= largest_aspect * min(width, height):
            sizes.append((width, height))
    return tuple(sizes)


def _one(width: int, height: int, max_pixels: int = MOST_PIXELS) -> Workload:
    limited = max_pixels != MOST_PIXELS
    return Workload(
        name=f"{width}x{height}" + (f"-max{max_pixels}" if limited else ""),
        title=f"{width}x{height}" + (f", at most {max_pixels} pixels" if limited else ""),
        sizes=((width, height),),
        max_pixels=max_pixels,
    )


_ALL = (
    _one(640, 480),
    replace(_one(1024, 1024), name="w1", title="W1: 1024x1024"),
    _one(1920, 1080),
    _one(1920, 1080, SERVED_PIXELS),
    _one(3840, 2160),
    _one(3840, 2160, SERVED_PIXELS),
    Workload("w2", "W2: 32 of 1024x1024", ((1024, 1024),) * 32),
    Workload("w3", "W3: 32 mixed, sides 256..1046", mixed_sizes(32, 256, 1046, largest_aspect=2.0, seed=3)),
    Workload("w4", "W4: 8 of 2480x3508", ((2480, 3508),) * 8),
    Workload("photographs", "7 photographs as they are", SIZES),
    Workload("video64", "64 frames of 640x360", ((640, 360),) * 64),
    Workload("tiny", "2 of 60x90", ((60, 90), (60, 90))),
)

WORKLOADS = {workload.name: workload for workload in _ALL}
