"""Rescaling and normalisation of bytes, in the language: arithmetic in the order of the reference.

What a byte becomes depends on the byte and its channel only; `byte_table` has all 256 values, and
`agrees` proves that the arithmetic here gives the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from autosched.imaging.coefficients import Flavour
from autosched.lang import Expr, Func, Input, Pipeline, cast, f32, f64, interpret, u8, variables


def normalized(byte: Expr, channel: Expr, mean: Input, std: Input, flavour: Flavour, rescale: Input) -> Expr:
    """(byte - mean) / std in float32, a true division; Pillow's flavour rescales in float64 before.

    `mean` and `std` are float32 per channel; for torchvision they are folded with the rescale factor, see
    `constants`. `rescale` holds one float64, read by Pillow's flavour only.
    """
    value = cast(f32, byte)
    if flavour == "pillow":
        value = cast(f32, cast(f64, byte) * rescale[0])
    return (value - mean[channel]) / std[channel]


def constants(
    mean: Sequence[float], std: Sequence[float], rescale_factor: float, flavour: Flavour
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """`mean`, `std` and `rescale` of `normalized`: float32 [3], float32 [3], float64 [1]."""
    mean32, std32 = np.array(mean, np.float32), np.array(std, np.float32)
    if flavour == "torchvision":
        inverse = np.float32(1.0 / rescale_factor)
        mean32, std32 = mean32 * inverse, std32 * inverse
    return mean32, std32, np.array([rescale_factor], np.float64)


def agrees(
    table: npt.NDArray[np.float32], mean: Sequence[float], std: Sequence[float], rescale_factor: float, flavour: Flavour
) -> bool:
    """Whether `normalized` gives the bits of `table` (float32 [3, 256]) for every byte and channel."""
    return _agrees(table.tobytes(), tuple(mean), tuple(std), rescale_factor, flavour)


@lru_cache(maxsize=64)
def _agrees(
    table: bytes, mean: tuple[float, ...], std: tuple[float, ...], rescale_factor: float, flavour: Flavour
) -> bool:
    c, b = variables("c b")
    inputs = [Input("mean", f32, 1), Input("std", f32, 1), Input("rescale", f64, 1)]
    proof = Func("proof")
    proof[c, b] = normalized(cast(u8, b), c, inputs[0], inputs[1], flavour, inputs[2])
    mean32, std32, factor = constants(mean, std, rescale_factor, flavour)
    arrays: dict[str, npt.NDArray[Any]] = {"mean": mean32, "std": std32, "rescale": factor}
    return bool(interpret(Pipeline(proof), (len(mean), 256), arrays).tobytes() == table)
