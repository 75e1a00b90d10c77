"""How a processor makes pixels: whose resize, which filter, and what a byte becomes after it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.imaging.byte_table import normalize_table
from autosched.imaging.coefficients import Arithmetic, Filter, Flavour, vertical_first
from autosched.imaging.normalize import FORMS, Form, agrees, constants
from autosched.lang import Type, f32
from autosched.runtime import empty, placed

Reference: TypeAlias = Literal["torchvision", "pil"]

#: What a byte becomes: float32 by the arithmetic of a `normalize.Form` or by a table [3, 256], or the byte itself.
Values: TypeAlias = Form | Literal["table", "bytes"]

CLIP_MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Final = (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
HALF: Final = (0.5, 0.5, 0.5)

_FLAVOURS: Final[dict[str, Flavour]] = {"torchvision": "torchvision", "pil": "pillow"}


@dataclass(frozen=True)
class Preparation:
    """The settings of a processor that every pixel depends on, whatever the model.

    Attributes:
        reference: whose bits are produced, transformers' torchvision or PIL backend.
        filter: resampling filter.
        mean, std: per channel, on the scale of the rescaled image.
        rescale_factor: what a byte is multiplied by when ``do_rescale``.
        do_rescale, do_normalize: the steps after the resize.
        dtype: what values are rounded to, f32, bf16 or f16.
        arithmetic: what the torchvision reference resizes in: whole numbers as it does of bytes, or float32 as it does
            of floats, which some of its processors make of bytes.
    """

    reference: Reference = "torchvision"
    filter: Filter = "bicubic"
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    rescale_factor: float = 1 / 255
    do_rescale: bool = True
    do_normalize: bool = True
    dtype: Type = f32
    arithmetic: Arithmetic = "integer"

    def __post_init__(self) -> None:
        if self.reference not in _FLAVOURS:
            raise ArgumentError(f"Unknown reference {self.reference!r}; choose one of {', '.join(_FLAVOURS)}.")
        if self.reference == "torchvision" and not (self.do_rescale or self.do_normalize):
            raise ArgumentError("Without do_rescale and do_normalize the torchvision reference is uint8; enable one.")

    @property
    def flavour(self) -> Flavour:
        """The reference, as the tables of `imaging` name it."""
        return _FLAVOURS[self.reference]

    @property
    def values(self) -> Values:
        """The fastest arithmetic that is proven to give the bits of the reference, or else its table."""
        return _values(self)[0]

    @property
    def constants(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays that `values` reads."""
        return _values(self)[1]

    def empty(self, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """An array of values whose memory is not set; of their bits (uint16) for bfloat16."""
        return empty(shape, self.dtype.dtype)

    def placed(self, shape: tuple[int, ...]) -> tuple[npt.NDArray[Any], int]:
        """The same, and its address."""
        return placed(shape, self.dtype.dtype)

    def vertical_first(self, height: int, width: int, size: tuple[int, int]) -> bool:
        """Whether an image of height x width pixels that is resized to `size` has its columns resized first."""
        return self.flavour == "pillow" and vertical_first(height, width, *size)


@lru_cache(maxsize=64)
def _values(p: Preparation) -> tuple[Values, dict[str, npt.NDArray[Any]]]:
    table = normalize_table(p.mean, p.std, p.rescale_factor, p.do_rescale, p.do_normalize, p.flavour)
    if p.do_rescale and p.do_normalize:
        for form in FORMS:
            if agrees(table, p.mean, p.std, p.rescale_factor, p.flavour, form):
                arrays = constants(p.mean, p.std, p.rescale_factor, p.flavour)
                unread = {"inverse"} if form == "division" else set()
                unread |= {"rescale"} if p.flavour != "pillow" else set()
                return form, {name: _shared(array) for name, array in arrays.items() if name not in unread}
    return "table", {"values": table}


def _shared(array: npt.NDArray[np.generic]) -> npt.NDArray[Any]:
    array.flags.writeable = False
    return array
