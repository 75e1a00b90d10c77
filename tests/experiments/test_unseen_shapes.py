"""Shapes that no search has seen: which they are, and the comparison, on a small kernel."""

from __future__ import annotations

from pathlib import Path

import blur_family
import pytest

from autosched.vlm import registry
from autosched.vlm.load import load
from experiments.experiment import Selection
from experiments.studies.unseen_shapes import ASPECT, LOOKED_UP, SHAPES, SIDES, TUNED, against_its_own, cases, shapes


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> registry.KernelFamily:
    blur_family.make_only_kernel(tmp_path, monkeypatch)
    return blur_family.FAMILY


def test_shapes() -> None:
    """The same ones every time, all different, within what they are drawn from; one case each."""
    drawn = shapes()
    assert drawn == shapes() and len(set(drawn)) == len(drawn) == SHAPES
    assert drawn != shapes(seed=5) and drawn[:7] == shapes(7)
    for shape in drawn:
        sides = sorted((shape.width, shape.height))
        assert SIDES[0] <= sides[0] and sides[1] <= SIDES[1] and sides[1] <= ASPECT * sides[0]
    assert len({shape.max_pixels for shape in drawn}) > 2
    assert [c.workload for c in cases(Selection(threads=(1, 2), most=2))] == [shape.name for shape in drawn]


def test_what_is_looked_up_against_a_search(family: registry.KernelFamily) -> None:
    """Both are timed in the same rounds, and the row says which rung answered and how long was searched."""
    workload = blur_family.workload(blur_family.specimens({"sizes": [[300, 400]]}), {})
    known = load("blur-test", bucket="large", threads=1)
    numbers = {n.implementation + n.measure: n for n in against_its_own(known, workload, {}, 4.0, 0.1)}
    assert numbers.keys() == {LOOKED_UP + "time over", LOOKED_UP + "time", TUNED + "time"}
    ratio = numbers[LOOKED_UP + "time over"]
    assert ratio.against == TUNED and ratio.interval.low <= ratio.interval.value <= ratio.interval.high
    assert ratio.note == "bucket large, built-in default" and ratio.repeats >= 9
    assert "schedules timed, best: " in numbers[TUNED + "time"].note
