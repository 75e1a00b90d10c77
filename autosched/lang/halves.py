"""float32 to 16 bits, to nearest and ties to even: what `cast` to bf16 and f16 means, in numpy, on any CPU."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from autosched.lang.types import Type

#: The one NaN that every NaN becomes.
NAN: Final = {"bf16": 0x7FC0, "f16": 0x7E00}


def half_bits(a: npt.NDArray[Any], to: Type) -> npt.NDArray[np.uint16]:
    """The bits of float32 values as `to`, uint16 of the same shape. Subnormals are kept, as the casts of torch keep
    them; the processor's own instruction for bf16 does not.
    """
    if to.name == "f16":
        with np.errstate(all="ignore"):
            made = np.ascontiguousarray(a.astype(np.float16)).view(np.uint16)
    else:
        bits = np.ascontiguousarray(a).view(np.uint32)
        made = ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16).astype(np.uint16)
    return np.where(np.isnan(a), np.uint16(NAN[to.name]), made.reshape(a.shape))
