"""InternVL2.5 by its model card, InternVL3.5 by transformers: tiles of 448x448 and a thumbnail."""

from __future__ import annotations

from autosched.vlm.internvl import dynamic_tiles
from autosched.vlm.preparation import IMAGENET_MEAN, IMAGENET_STD, Reference
from experiments.family import FAMILIES, Family, hugging_face
from experiments.implementation import Images, Output, Run
from experiments.workloads import Workload


def _by_card(workload: Workload, reference: Reference, threads: int) -> Run:
    """Our kernels in place of the model card's function; as there, one array for all images."""

    def run(images: Images) -> Output:
        pixel_values, _ = dynamic_tiles(images, threads=threads)
        return {"pixel_values": pixel_values}

    return run


FAMILIES.add(
    Family(
        "internvl2.5",
        "InternVL2.5",
        implementations=("model-card", "autosched-card"),
        baselines=("model-card",),
        accelerated=_by_card,
    )
)
FAMILIES.add(
    Family(
        "internvl3.5",
        "InternVL3.5",
        hugging_face(
            "GotOcr2ImageProcessor",
            size={"height": 448, "width": 448},
            image_mean=list(IMAGENET_MEAN),
            image_std=list(IMAGENET_STD),
        ),
        arguments={"crop_to_patches": True},
        kernel="internvl3",
    )
)
