"""Rescaling and normalisation of bytes, in the language: arithmetic in the order of the reference.

What a byte becomes depends on the byte and its channel only; `byte_table` has all 256 values, and
`agrees` proves that the arithmetic here gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from autosched.imaging.coefficients import Flavour
from autosched.lang import Expr, Func, Input, Pipeline, cast, f32, f64, fma, interpret, u8, variables

#: How the division is done: by the inverse and one correction, which takes a sixth of the time, or as it is.
Form: TypeAlias = Literal["inverse", "division"]
FORMS: Final[tuple[Form, ...]] = ("inverse", "division")


class Constants:
    """The Inputs of `normalized`: `mean`, `std`, `inverse` (float32 per channel) and `rescale` (one float64).

    For torchvision, `mean` and `std` are folded with the rescale factor; see `constants`. `inverse` is read in that
    form only, and `rescale` by Pillow's flavour only.
    """

    def __init__(self) -> None:
        self.mean, self.std, self.inverse = (Input(name, f32, 1) for name in ("mean", "std", "inverse"))
        self.rescale = Input("rescale", f64, 1)


def normalized(byte: Expr, channel: Expr, inputs: Constants, flavour: Flavour, form: Form = "division") -> Expr:
    """(byte - mean) / std in float32; Pillow's flavour rescales in float64 before.

    The form "inverse" gives the bits of a true division for most constants, not for all: ask `agrees`.
    """
    value = cast(f32, byte)
    if flavour == "pillow":
        value = cast(f32, cast(f64, byte) * inputs.rescale[0])
    centred = value - inputs.mean[channel]
    if form == "division":
        return centred / inputs.std[channel]
    quotient = centred * inputs.inverse[channel]
    rest = fma(-quotient, inputs.std[channel], centred)
    return fma(rest, inputs.inverse[channel], quotient)


def constants(
    mean: Sequence[float], std: Sequence[float], rescale_factor: float, flavour: Flavour
) -> dict[str, npt.NDArray[Any]]:
    """What the Inputs of `normalized` are bound to."""
    with np.errstate(all="ignore"):  # torch, which computes these in Hugging Face's code, warns of none
        mean32, std32 = np.array(mean, np.float32), np.array(std, np.float32)
        if flavour == "torchvision":
            inverse = np.float32(1.0 / rescale_factor)
            mean32, std32 = mean32 * inverse, std32 * inverse
        inverse32 = np.float32(1) / std32
    return {"mean": mean32, "std": std32, "inverse": inverse32, "rescale": np.array([rescale_factor], np.float64)}


def agrees(
    table: npt.NDArray[np.float32],
    mean: Sequence[float],
    std: Sequence[float],
    rescale_factor: float,
    flavour: Flavour,
    form: Form = "division",
) -> bool:
    """Whether `normalized` gives the bits of `table` (float32 [3, 256]) for every byte and channel."""
    return _agrees(table.tobytes(), tuple(mean), tuple(std), rescale_factor, flavour, form)


@lru_cache(maxsize=64)
def _agrees(
    table: bytes, mean: tuple[float, ...], std: tuple[float, ...], rescale_factor: float, flavour: Flavour, form: Form
) -> bool:
    c, b = variables("c b")
    proof = Func("proof")
    proof[c, b] = normalized(cast(u8, b), c, Constants(), flavour, form)
    pipeline = Pipeline(proof)
    known = constants(mean, std, rescale_factor, flavour)
    arrays = {name: known[name] for name in pipeline.inputs}
    return bool(interpret(pipeline, (len(mean), 256), arrays).tobytes() == table)
