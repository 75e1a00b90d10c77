"""Medians, ratios of medians and their bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

#: Share of the bootstrap distribution that an interval holds.
CONFIDENCE = 0.95

RESAMPLES = 2000

_SEED = 20240229

_Combine: TypeAlias = Callable[[npt.NDArray[np.float64]], Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the bounds of its interval."""

    value: float
    low: float
    high: float


def median(sample: Sequence[float]) -> Interval:
    """The median of a sample, with the percentile interval of its bootstrap."""
    return _estimate(np.asarray(sample, np.float64)[np.newaxis], lambda medians: medians[..., 0])


def ratio_of_medians(numerator: Sequence[float], denominator: Sequence[float]) -> Interval:
    """median(numerator) / median(denominator), for times that were taken in the same rounds.

    Element i of both comes from round i. Whole rounds are resampled, so what disturbs a round disturbs both sides of it
    and the interval says what is left.

    Raises:
        ValueError: the samples are empty or differ in length.
    """
    if len(numerator) != len(denominator):
        raise ValueError(f"{len(numerator)} and {len(denominator)} times are not from the same rounds")
    rounds = np.array([numerator, denominator], np.float64)
    return _estimate(rounds, lambda medians: medians[..., 0] / medians[..., 1])


def ratio_of_ratios(
    numerator: tuple[Sequence[float], Sequence[float]], denominator: tuple[Sequence[float], Sequence[float]]
) -> Interval:
    """(a / b) / (c / d) of medians, for times a, b and c, d that were taken in the same rounds."""
    rounds = np.array([*numerator, *denominator], np.float64)
    return _estimate(rounds, lambda m: m[..., 0] / m[..., 1] / (m[..., 2] / m[..., 3]))


def _estimate(rounds: npt.NDArray[np.float64], combine: _Combine) -> Interval:
    """`combine` of the medians of each row, and its percentile interval when columns are resampled together."""
    count = rounds.shape[1]
    if count == 0:
        raise ValueError("there are no times; measure at least one round")
    drawn = np.random.default_rng(_SEED).integers(0, count, (RESAMPLES, count))
    resampled = combine(np.median(rounds[:, drawn], axis=2).T)
    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Interval(float(combine(np.median(rounds, axis=1))), float(low), float(high))
