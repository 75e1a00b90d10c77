"""The comparison of samplers: its summary, and the claim that is made of the recorded space."""

from __future__ import annotations

import pytest

from autosched.tune.recording import load_recording
from experiments.compare_samplers import Summary, searches, summarise, trials_of
from experiments.record_space import ROOT, task


def test_summary() -> None:
    """Medians over seeds; the optimum is 0.2, and 0.21 is the last that counts as near."""
    curves = [[1.0, 0.5, 0.21, 0.2], [1.0, 0.3, 0.25, 0.22], [0.2, 0.2, 0.2, 0.2]]
    assert summarise("x", curves, 0.2) == Summary("x", 3, 2, pytest.approx(1.0))
    assert summarise("x", curves[1:2] * 3, 0.2) == Summary("x", None, 0, pytest.approx(1.1))


def test_the_default_finds_it_in_time() -> None:
    """Within 5 % of the optimum after a tenth of the points, or 64, at the median of 5 seeds; the table has 20."""
    (path,) = (ROOT / "results").glob("space-blur-*.json")
    recording = load_recording(path)
    assert len(recording.results) == task().space.count() == 480
    trials = trials_of(recording)
    assert trials == 64
    default = searches(recording)["tpe and polish, the default"]
    found = summarise("tpe", [default(seed, trials) for seed in range(5)], recording.best())
    assert found.needed is not None and found.needed <= trials and found.distance <= 1.05
