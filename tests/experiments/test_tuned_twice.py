"""Two searches from scratch: what is measured in which order, on a small kernel."""

from __future__ import annotations

from pathlib import Path

import blur_family
import pytest

from autosched.cli.main import run as command_line
from autosched.tune import closing
from experiments.experiment import Effort, Selection
from experiments.implementation import NotAvailableError
from experiments.studies import tuned_twice
from experiments.studies.tuned_twice import RUNS, Run, cases


@pytest.fixture(autouse=True)
def _small_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blur_family.make_only_kernel(tmp_path, monkeypatch)
    monkeypatch.setattr(tuned_twice, "KERNEL", "blur-test")
    monkeypatch.setattr(closing, "FINAL_SECONDS", 0.05)
    monkeypatch.setattr(closing, "SIMPLIFY_SECONDS", 0.05)


def test_both_runs_come_before_what_compares_them() -> None:
    places = [(c.workload, c.threads, c.case) for c in cases(Selection(threads=(1, 2), most=2))]
    assert places == [("all", 2, "run 1"), ("all", 2, "run 2"), ("small", 2, "")]
    first, second = (Run(name, "standard", 2) for name in RUNS)
    assert first.directory != second.directory != Run("run 2", "quick", 2).directory


def test_the_winners_in_the_same_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    *_, compare = cases(Selection(threads=(1,), most=1))
    with pytest.raises(NotAvailableError, match="run 1 has no record for small"):
        compare.measure(Effort(0.1, quick=True))
    for name in RUNS:
        out = str(Run(name, "quick", 1).tuned)
        assert command_line(["tune", "blur-test", "-t", "1", "--trials", "3", "--out", out]) == 0
    ratio, *speedups = compare.measure(Effort(0.1, quick=True))
    assert (ratio.implementation, ratio.measure, ratio.against) == ("run 2", "time over", "run 1")
    assert 0 < ratio.interval.low <= ratio.interval.value <= ratio.interval.high and ratio.repeats >= 15
    assert [(n.implementation, n.measure, n.note) for n in speedups] == [
        (r, "speedup", "trials: 3 and 3") for r in RUNS
    ]
