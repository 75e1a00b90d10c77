"""Rescaling and normalisation of a byte as a table of its 256 values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.imaging.coefficients import Flavour

CHANNELS: Final = 3


def normalize_table(
    mean: Sequence[float],
    std: Sequence[float],
    rescale_factor: float,
    do_rescale: bool,
    do_normalize: bool,
    flavour: Flavour,
) -> npt.NDArray[np.float32]:
    """Returns float32 ``[3, 256]``: what the reference makes of byte ``b`` of channel ``c`` after the last resize.

    ``torchvision`` folds the rescale into mean and std, all in float32; ``pillow`` rescales in float64, rounds to
    float32 and normalises in float32. With neither step the table holds the bytes themselves as float32 (Hugging Face's
    torchvision backend returns uint8 there, so its callers must not use a table). The array is read-only and shared.

    Raises:
        ArgumentError: mean or std has not one value per channel, or the flavour is unknown.
    """
    return _cached_table(
        _channel_values("mean", mean),
        _channel_values("std", std),
        float(rescale_factor),
        bool(do_rescale),
        bool(do_normalize),
        flavour,
    )


def _channel_values(name: str, values: Sequence[float]) -> tuple[float, ...]:
    result = tuple(float(value) for value in values)
    if len(result) != CHANNELS:
        raise ArgumentError(f"{name} has {len(result)} values; give {CHANNELS}, one per channel.")
    return result


@lru_cache(maxsize=64)
def _cached_table(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    rescale_factor: float,
    do_rescale: bool,
    do_normalize: bool,
    flavour: Flavour,
) -> npt.NDArray[np.float32]:
    if flavour not in ("torchvision", "pillow"):
        raise ArgumentError(f"Unknown flavour {flavour!r}; choose torchvision or pillow.")
    values = np.tile(np.arange(256, dtype=np.float32), (CHANNELS, 1))
    # float32 arrays times np.float32 scalars stay in float32, as torch computes with a Python scalar.
    with np.errstate(all="ignore"):
        mean32 = np.array(mean, dtype=np.float32)[:, None]
        std32 = np.array(std, dtype=np.float32)[:, None]
        if flavour == "torchvision" and do_rescale and do_normalize:
            inverse = np.float32(1.0 / rescale_factor)
            mean32 = mean32 * inverse
            std32 = std32 * inverse
        elif do_rescale and flavour == "torchvision":
            values = values * np.float32(rescale_factor)
        elif do_rescale:
            values = (values.astype(np.float64) * rescale_factor).astype(np.float32)
        if do_normalize:
            values = (values - mean32) / std32
    values.flags.writeable = False
    return values
