"""The samplers that a study can ask, by name."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Literal, get_args

import optuna
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler

from autosched.errors import TuneError

#: tpe: multivariate and grouped, the default; gp: a Gaussian process, which needs torch and scipy; nsga2: time and
#: memory at once; random: every point with the same probability; brute: every point in order.
Sampler = Literal["tpe", "random", "gp", "nsga2", "brute"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
#: These are the space's own business: Optuna is only told which points are tried.
DRAWN: frozenset[Sampler] = frozenset({"random", "brute"})


def directions(sampler: Sampler) -> list[Literal["minimize", "maximize"]]:
    """What is minimised: time, and memory too where the sampler looks for trade-offs."""
    return ["minimize", "minimize"] if sampler == "nsga2" else ["minimize"]


def make(sampler: Sampler, seed: int | None, startup: int) -> BaseSampler:
    """Optuna's sampler. Raises TuneError where it needs what is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if sampler == "gp":
            missing = [name for name in ("torch", "scipy") if find_spec(name) is None]
            if missing:
                raise TuneError(
                    f"sampler gp needs {' and '.join(missing)}; install them (pip install torch scipy), or use tpe"
                )
            return GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False)
        if sampler == "nsga2":
            return NSGAIISampler(seed=seed, population_size=max(startup, 10))
        return TPESampler(multivariate=True, group=True, seed=seed, n_startup_trials=startup)
