"""What schedules of a final are called: after what they were simplified from, and no two alike."""

from __future__ import annotations

from autosched.schedule import Schedule
from autosched.tune.finals import Standing
from autosched.tune.measure import Estimate
from autosched.tune.study import Outcome, Trial
from autosched.tune.titles import titles

EXACT = Estimate(1.0, 1.0, 1.0)
FULL = Schedule().compute_root("rows").unroll("rows", "x", 2).unroll("blur", "x", 4)


def test_titles() -> None:
    trials = [
        Trial(0, FULL, Outcome("ok"), "default"),
        Trial(1, Schedule().unroll("blur", "x", 4), Outcome("ok"), "default, simplified"),
        Trial(7, FULL, Outcome("ok"), point={"lanes": 2}),
    ]
    entered = {
        "default": FULL,
        "default, simplified, simplified": Schedule().unroll("blur", "x", 4),
        "trial 7, simplified": Schedule().compute_root("rows").unroll("blur", "x", 4),
        "trial 9, simplified": Schedule(),
    }
    standings = [Standing(label, schedule, EXACT, EXACT) for label, schedule in entered.items()]
    standings.append(Standing("default, simplified", Schedule().unroll("blur", "x", 2), EXACT, EXACT))
    assert titles(standings, trials) == [
        "default",
        "default without 2 directives",
        "trial 7 without 1 directive",
        "trial 9, simplified",
        "default without 2 directives (2)",
    ]
