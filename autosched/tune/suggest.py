"""Points to and from Optuna: only points of the space are ever suggested.

Optuna fixes the choices of a parameter for the life of a study. Where constraints leave fewer choices than a knob has,
the parameter is another one, named after what is left: `tile[8,16]`. Numbers are indices into their choices, so that
the sampler knows which are near; everything else is categorical.
"""

from __future__ import annotations

from typing import Any, cast

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import Trial

from autosched.tune.constraints import Point, Value
from autosched.tune.space import Knob, Space


def suggest(space: Space, trial: Trial) -> dict[str, Value]:
    """The point that a trial of Optuna stands for."""
    point: dict[str, Value] = {}
    for knob in space.knobs:
        options = space.options(knob, point)
        if len(options) == 1:
            point[knob.name] = options[0]
        elif options and knob.ordered:
            point[knob.name] = options[trial.suggest_int(_name(knob, options), 0, len(options) - 1)]
        elif options:
            point[knob.name] = cast(Value, trial.suggest_categorical(_name(knob, options), options))
    return point


def parameters(space: Space, point: Point) -> dict[str, Any]:
    """The parameters with which `suggest` gives `point`."""
    return {name: value for name, (value, _) in _described(space, point).items()}


def distributions(space: Space, point: Point) -> dict[str, BaseDistribution]:
    """The distributions of those parameters."""
    return {name: distribution for name, (_, distribution) in _described(space, point).items()}


def _described(space: Space, point: Point) -> dict[str, tuple[Any, BaseDistribution]]:
    made: dict[str, tuple[Any, BaseDistribution]] = {}
    prefix: dict[str, Value] = {}
    for knob in space.knobs:
        options = space.options(knob, prefix)
        if not options:
            continue
        prefix[knob.name] = value = point[knob.name]
        if len(options) > 1 and knob.ordered:
            made[_name(knob, options)] = (options.index(value), IntDistribution(0, len(options) - 1))
        elif len(options) > 1:
            made[_name(knob, options)] = (value, CategoricalDistribution(options))
    return made


def _name(knob: Knob, options: tuple[Value, ...]) -> str:
    return knob.name if options == knob.choices else f"{knob.name}[{','.join(map(str, options))}]"
