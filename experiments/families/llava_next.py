"""LLaVA-NeXT: a thumbnail and tiles of 336x336."""

from __future__ import annotations

from autosched.vlm.preparation import CLIP_MEAN, CLIP_STD
from experiments.family import FAMILIES, Family, hugging_face

FAMILIES.add(
    Family(
        "llava-next",
        "LLaVA-NeXT",
        hugging_face(
            "LlavaNextImageProcessor",
            size={"shortest_edge": 336},
            crop_size={"height": 336, "width": 336},
            image_mean=list(CLIP_MEAN),
            image_std=list(CLIP_STD),
        ),
        kernel="llava-next",
    )
)
