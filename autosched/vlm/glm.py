"""GLM-4.1V, 4.5V and 4.6V: the patches of Qwen-VL with a size rule that counts frames."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from autosched.vlm.preparation import Reference
from autosched.vlm.qwen_vl import QwenVL, register_patches

_LARGEST_ASPECT: Final = 200


def glm_resize(
    frames: int, height: int, width: int, temporal: int, factor: int, min_pixels: int, max_pixels: int
) -> tuple[int, int]:
    """Returns the size ``(height, width)`` that `frames` frames of an image or a video are resized to.

    Both sides are multiples of ``factor``; the limits are of the pixels of all frames together, which count as the
    nearest multiple of ``temporal``. An image with a side below ``factor`` is enlarged first.

    Raises:
        ValueError: fewer frames than ``temporal``, or one side is more than 200 times the other, in the words that
            transformers uses.
    """
    if frames < temporal:
        raise ValueError(f"t:{frames} must be larger than temporal_factor:{temporal}")
    if min(height, width) < factor:
        scale = max(factor / height, factor / width)
        height, width = int(height * scale), int(width * scale)
    aspect = max(height, width) / min(height, width)
    if aspect > _LARGEST_ASPECT:
        raise ValueError(f"absolute aspect ratio must be smaller than {_LARGEST_ASPECT}, got {aspect}")
    new_height, new_width = (round(side / factor) * factor for side in (height, width))
    volume = round(frames / temporal) * temporal * new_height * new_width
    if volume > max_pixels:
        shrink = math.sqrt((frames * height * width) / max_pixels)
        new_height, new_width = (max(factor, math.floor(side / shrink / factor) * factor) for side in (height, width))
    elif volume < min_pixels:
        grow = math.sqrt(min_pixels / (frames * height * width))
        new_height, new_width = (math.ceil(side * grow / factor) * factor for side in (height, width))
    return new_height, new_width


@dataclass(frozen=True)
class GlmV(QwenVL):
    """Preprocessing of still images: an image counts as ``temporal_patch_size`` frames."""

    def smart_resize(self, height: int, width: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
        """The size ``(height, width)`` that an image is resized to; see `glm_resize`."""
        t = self.temporal_patch_size
        return glm_resize(t, height, width, t, self.factor, min_pixels, max_pixels)


_REFERENCES: Final[tuple[Reference, ...]] = ("torchvision", "pil")
for _reference in _REFERENCES:
    register_patches(
        "glm-4v",
        GlmV().prepared(reference=_reference),
        (112 * 112, 28 * 28 * 15000),
        "GLM-4.1V",
        "Glm4vImageProcessor",
    )
    register_patches(
        "glm-4.6v",
        GlmV().prepared(reference=_reference),
        (112 * 112, 28 * 28 * 15000),
        "GLM-4.6V",
        "Glm46VImageProcessor",
    )
