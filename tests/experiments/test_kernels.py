"""Schedules are taken apart as they say, all are legal, and variants are compared bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from autosched.schedule import Schedule
from autosched.schedule.directives import Parallel, Reorder, Vectorize
from experiments import kernels
from experiments.exactness import InexactError
from experiments.experiment import Effort
from experiments.implementation import NotAvailableError
from experiments.kernels import Variant, bench, replaced, scalar, without
from experiments.studies import restated, schedules, strips
from experiments.workloads import WORKLOADS

KERNELS = ("qwen2.5-vl", "internvl3", "llava-next")
ONCE = Effort(0.0, quick=True)


def test_directives_are_taken_away_and_replaced() -> None:
    schedule = Schedule().parallel("f", "y").vectorize("f", "x", 8).stream("f").vectorize("g", "x", 8)
    assert without(schedule, Vectorize) == Schedule({"f": schedule.funcs["f"][::2], "g": ()})
    assert scalar(schedule) == Schedule({"f": (Parallel("y"),), "g": ()})
    changed = replaced(schedule, "g", {Vectorize("x", 8): (Reorder(("x", "y")), Vectorize("x", 4))})
    assert changed.funcs["g"] == (Reorder(("x", "y")), Vectorize("x", 4)) and changed.funcs["f"] == schedule.funcs["f"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_all_that_is_compared_is_legal(kernel: str) -> None:
    """What is not would be left out silently."""
    made = bench(kernel, WORKLOADS["tiny"])
    named = {name: made.schedule(name) for name in schedules.NAMED}
    variants = schedules._variants({**named, "found": made.found(2)}, threads=2)
    assert {name for pair in schedules.GAINS.values() for name in pair} <= set(variants)
    compared = [
        *variants.values(),
        *strips.strips(made).values(),
        *(v.schedule for v in restated._variants(made).values()),
    ]
    for schedule in compared:
        schedule.check(made.family.pipeline())


def test_variants_have_the_same_bits_and_wrong_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = bench("internvl3", WORKLOADS["tiny"])
    best = made.schedule("default")
    variants = {"default": Variant(best), "division": Variant(best, "division"), "table": Variant(best, "table")}
    times = made.times(variants, 1, ONCE)
    assert set(times) == set(variants) and len({len(seconds) for seconds in times.values()}) == 1
    wrong = np.zeros((3, 256), np.float32)
    monkeypatch.setattr(kernels, "normalize_table", lambda *_: wrong)
    with pytest.raises(InexactError, match="table of internvl3 gives other bits than default"):
        made.times(variants, 1, ONCE)


def test_a_family_without_a_kernel_says_so() -> None:
    with pytest.raises(NotAvailableError, match="this family has no kernel"):
        bench("", WORKLOADS["tiny"])


def test_working_sets_grow_with_strips() -> None:
    made = bench("internvl3", WORKLOADS["tiny"])
    sets = [strips._working_set(made, rows) for rows in (4, 8, 16)]
    assert sets == sorted(set(sets)) and sets[0] > 0
