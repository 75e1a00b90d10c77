"""Real photographs, from the packages that bring some, at any size."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageOps

_SCIKIT_IMAGE = ("astronaut", "coffee", "chelsea", "rocket", "hubble_deep_field")

#: Widths and heights of the photographs, so that nothing has to be decoded to know them.
SIZES = ((640, 427), (640, 427), (512, 512), (600, 400), (451, 300), (640, 427), (1000, 872))


@lru_cache(maxsize=1)
def photographs() -> tuple[Image.Image, ...]:
    """RGB photographs of about half a megapixel each.

    Raises:
        ImportError: scikit-image or scikit-learn is not installed.
    """
    import skimage.data
    from sklearn.datasets import load_sample_images

    arrays = [*load_sample_images().images, *(getattr(skimage.data, name)() for name in _SCIKIT_IMAGE)]
    return tuple(Image.fromarray(np.ascontiguousarray(array, np.uint8)) for array in arrays)


def photograph(index: int, width: int, height: int) -> Image.Image:
    """A photograph cropped to the shape and resized to width x height, in memory as a decoder leaves it."""
    available = photographs()
    return ImageOps.fit(available[index % len(available)], (width, height), Image.Resampling.BICUBIC)
