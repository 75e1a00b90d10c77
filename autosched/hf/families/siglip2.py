"""SigLIP 2 (NaFlex)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from autosched.hf.arguments import NotCoveredError
from autosched.hf.family import Arguments, Batch, Family, require_columns
from autosched.hf.forms import supports
from autosched.vlm.siglip2 import Siglip2


class Siglip2Family(Family):
    """A fixed number of rows of patches for each image, zeros after its own."""

    summary = "SigLIP 2 patches"

    def __init__(self, arguments: Arguments) -> None:
        if not arguments.flag("do_resize"):
            raise NotCoveredError("do_resize is off")
        patch, most = (arguments.positive_int(name) for name in ("patch_size", "max_num_patches"))
        self.kernel = Siglip2(arguments.preparation(), patch, most).shared()
        self.fast4 = arguments.fast4

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values, pixel_attention_mask (int32) and spatial_shapes, the rows and columns of patches."""
        kernel = self.kernel
        sizes = [kernel.size(*image.shape[:2]) for image in batch.images]
        require_columns(kernel.preparation, sizes)
        grids = [kernel.grid(size) for size in sizes]
        counts = [rows * columns for rows, columns in grids]
        if max(counts) > kernel.most:
            raise NotCoveredError(f"an image has {max(counts)} patches, more than max_num_patches")
        out = kernel.preparation.empty((len(sizes), kernel.most, kernel.row_length))
        mask = np.zeros((len(sizes), kernel.most), np.int32)
        for rows, ones, count in zip(out, mask, counts, strict=True):
            rows[count:] = 0
            ones[:count] = 1
        kernel.run(batch.images, sizes, [rows[:count] for rows, count in zip(out, counts, strict=True)], batch.threads)
        if self.fast4:
            return {
                "pixel_values": batch.wrap(out),
                "pixel_attention_mask": batch.wrap(mask),
                "spatial_shapes": batch.wrap(np.array(grids, np.int64)),
            }
        return {
            "pixel_values": batch.listed(out),
            "pixel_attention_mask": batch.listed(mask),
            "spatial_shapes": grids,
        }


SUPPORT: Final = supports("siglip2", "Siglip2ImageProcessor", Siglip2Family)
