"""Accelerators that are not here: a first token on them, modelled from published peaks and the work of the model.

A step takes the longer of two times: its operations at a share of the peak, and reading its weights once. What is
modelled is optimistic in leaving out launches, the parts of a model that are no matrix products, and everything that a
serving engine does around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from experiments.endtoend.flops import Work

#: Shares of the peak in matrix products that are assumed: the middle one is what training of large models reaches on
#: H100 (38 to 43 % in bf16: Llama Team, The Llama 3 Herd of Models, 2024, table 4); the others are a band around it.
UTILISATIONS: Final = (0.2, 0.4, 0.6)
USUAL: Final = 0.4


@dataclass(frozen=True)
class Accelerator:
    """Published properties of an accelerator.

    Attributes:
        name: as in results and figures.
        flops: peak operations a second in bf16, dense.
        bandwidth: bytes a second of its memory.
        link: bytes a second from the host, one way.
        source: where these are published.
    """

    name: str
    flops: float
    bandwidth: float
    link: float
    source: str

    def seconds(self, work: Work, pixel_bytes: int, utilisation: float) -> float:
        """From pixels in the host's memory to the first token."""
        steps = ((work.vision, work.vision_bytes), (work.language, work.language_bytes))
        return pixel_bytes / self.link + sum(
            max(operations / (self.flops * utilisation), weights / self.bandwidth) for operations, weights in steps
        )


ACCELERATORS: Final = {
    accelerator.name: accelerator
    for accelerator in (
        Accelerator("L4", 121e12, 300e9, 32e9, "NVIDIA L4 datasheet: 242 TFLOP/s with sparsity, 300 GB/s, PCIe 4 x16"),
        Accelerator("A100", 312e12, 2039e9, 32e9, "NVIDIA A100 80GB SXM datasheet: 312 TFLOP/s, 2039 GB/s, PCIe 4"),
        Accelerator("H100", 989.4e12, 3350e9, 64e9, "NVIDIA H100 SXM datasheet: 989.4 TFLOP/s, 3.35 TB/s, PCIe 5"),
    )
}
