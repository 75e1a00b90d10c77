"""What is done once per process or machine, beside calls: compiling kernels before the first one, and looking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autosched.errors import ArgumentError
from autosched.hf.drop_in import DropIn
from autosched.hf.explanation import Explanation

#: Heights and widths of images that are shrunk by much, by little and not at all, as a rule.
SIZES = ((480, 640), (1080, 1920), (2160, 3840))


def warm(processor: object, sizes: Sequence[tuple[int, int]] = SIZES) -> dict[str, Explanation]:
    """Compiles, or loads, the kernels that an accelerated image processor needs for images of `sizes`, (height, width).

    Each layout of images has its own: Pillow's, arrays ``[H, W, 3]`` and ``[3, H, W]``. Compiled kernels stay in the
    cache directory for later processes. Takes a processor that holds an image processor too. Returns what the last
    call of each layout did; ``huggingface`` means that there was nothing to compile.

    Raises:
        ArgumentError: it is no accelerated image processor, or a size is not two whole numbers of at least 1.
    """
    import numpy as np
    from PIL import Image

    inner: Any = getattr(processor, "image_processor", processor)
    if not isinstance(inner, DropIn):
        raise ArgumentError(f"{_kind(inner)} is not accelerated; give autosched.warm what autosched.accelerate returns")
    call: Any = inner
    kind = "pt" if inner._autosched_state.dtype.name == "bf16" else "np"  # numpy does not have it
    made: dict[str, Explanation] = {}
    for height, width in sizes:
        if not all(isinstance(side, int) and side >= 1 for side in (height, width)):
            raise ArgumentError(f"size ({height!r}, {width!r}) must be height and width, whole numbers of at least 1")
        pixels = np.zeros((height, width, 3), np.uint8)
        turned = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        layouts = {"pillow": Image.fromarray(pixels), "height, width, 3": pixels, "3, height, width": turned}
        for layout, image in layouts.items():
            call(image, return_tensors=kind)
            explanation = inner.autosched_explain()
            assert explanation is not None
            made[layout] = explanation
    return made


def explain(processor: object) -> Explanation | Mapping[str, Explanation | None] | None:
    """What computed the pixels of the latest call in this thread; None before the first.

    Of an accelerated image or video processor; of a whole processor, by the names of those in it that are accelerated.

    Raises:
        ArgumentError: nothing of it is accelerated.
    """
    if isinstance(processor, DropIn):
        return processor.autosched_explain()
    parts = {name: getattr(processor, name, None) for name in ("image_processor", "video_processor")}
    found = {name: part.autosched_explain() for name, part in parts.items() if isinstance(part, DropIn)}
    if not found:
        raise ArgumentError(
            f"{_kind(processor)} is not accelerated; give what autosched.accelerate returns. What was saved and loaded "
            "again is accelerated where autosched.install() was called before"
        )
    return found


def _kind(processor: object) -> str:
    return f"a {type(processor).__name__}" if not isinstance(processor, type) else f"the class {processor.__name__}"
