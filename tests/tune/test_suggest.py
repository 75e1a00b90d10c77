"""Optuna is only ever asked for points of the space, and gets them back."""

from __future__ import annotations

import random
import warnings

import optuna
import pytest

from autosched.tune.constraints import AtMost, Condition, Forbid
from autosched.tune.space import Knob, Space
from autosched.tune.suggest import distributions, parameters, suggest

TILED = Condition((("mode", ("tiled",)),))
SPACE = Space(
    "s",
    (
        Knob("mode", ("plain", "tiled"), "plain"),
        Knob("tile", (8, 16, 32), 8, TILED),
        Knob("lanes", (4, 8, 16), 4),
        Knob("flag", (False, True), False),
        Knob("only", (7,), 7),
    ),
    (AtMost(("tile", "lanes"), 256), Forbid(Condition((("mode", ("plain",)), ("flag", (True,)))))),
)


def study(seed: int) -> optuna.Study:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.create_study(sampler=optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed))


@pytest.mark.parametrize("seed", range(3))
def test_every_suggestion_is_a_point(seed: int) -> None:
    s = study(seed)
    for i in range(40):
        trial = s.ask()
        point = suggest(SPACE, trial)
        assert SPACE.contains(point)
        assert trial.params == parameters(SPACE, point)
        assert trial.distributions == distributions(SPACE, point)
        s.tell(trial, float(i % 7))


def test_a_point_comes_back_as_it_was() -> None:
    s = study(0)
    rng = random.Random(0)
    for _ in range(20):
        point = SPACE.sample(rng)
        s.enqueue_trial(parameters(SPACE, point))
        trial = s.ask()
        assert suggest(SPACE, trial) == point
        s.tell(trial, 0.0)


def test_names_say_what_is_left() -> None:
    assert parameters(SPACE, {"mode": "plain", "lanes": 8, "flag": False, "only": 7}) == {"mode": "plain", "lanes": 1}
    tiled = parameters(SPACE, {"mode": "tiled", "tile": 32, "lanes": 8, "flag": True, "only": 7})
    assert tiled == {"mode": "tiled", "tile": 2, "lanes[4,8]": 1, "flag": True}
