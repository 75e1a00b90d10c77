"""The statistics of the benchmarks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.intervals import Interval, median, ratio_of_medians

TIMES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30)


def test_the_ratio_is_that_of_the_medians_and_not_the_median_of_ratios() -> None:
    slow, fast = [9.0, 10.0, 40.0], [1.0, 5.0, 2.0]
    assert ratio_of_medians(slow, fast).value == 10.0 / 2.0
    assert float(np.median(np.divide(slow, fast))) != 5.0


def test_one_round_has_no_spread() -> None:
    assert ratio_of_medians([6.0], [2.0]) == Interval(3.0, 3.0, 3.0)
    assert median([6.0]) == Interval(6.0, 6.0, 6.0)


@given(TIMES)
@settings(max_examples=30, deadline=None)
def test_something_over_itself_is_one(times: list[float]) -> None:
    assert ratio_of_medians(times, times) == Interval(1.0, 1.0, 1.0)


@given(TIMES)
@settings(max_examples=30, deadline=None)
def test_the_estimate_lies_in_its_interval(times: list[float]) -> None:
    interval = median(times)
    assert min(times) <= interval.low <= interval.value <= interval.high <= max(times)


def test_what_disturbs_whole_rounds_cancels() -> None:
    """Rounds are resampled as they are: a disturbance of both sides widens no interval, one of a side does."""
    random = np.random.default_rng(5)
    disturbance = random.uniform(1, 3, 40)
    together = ratio_of_medians(list(4 * disturbance), list(disturbance))
    apart = ratio_of_medians(list(4 * disturbance), list(random.permutation(disturbance)))
    assert together.low == pytest.approx(4.0) and together.high == pytest.approx(4.0)
    assert apart.high - apart.low > 0.5


def test_the_interval_covers_the_true_ratio() -> None:
    """Of 400 experiments with 20 rounds of skewed times, about 95 % have the true ratio in their interval."""
    random = np.random.default_rng(11)
    true = 3.0
    covered = 0
    for _ in range(400):
        slow = true * random.lognormal(0, 0.2, 20)
        fast = random.lognormal(0, 0.2, 20)
        interval = ratio_of_medians(list(slow), list(fast))
        covered += interval.low <= true <= interval.high
    assert 0.90 <= covered / 400 <= 0.99


def test_more_rounds_narrow_the_interval() -> None:
    random = np.random.default_rng(2)
    few, many = (median(list(random.lognormal(0, 0.3, n))) for n in (10, 400))
    assert many.high - many.low < (few.high - few.low) / 2


def test_mistakes_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1 times are not from the same rounds"):
        ratio_of_medians([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="measure at least one round"):
        median([])
