"""Kernel Tuner's strategies in a recorded space, through its simulation mode. Empty where it is not installed."""

from __future__ import annotations

import contextlib
import io
import json
import random
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from autosched.tune.constraints import Value
from autosched.tune.recording import Recording
from autosched.tune.space import Space

STRATEGIES = ("random_sample", "genetic_algorithm", "greedy_ils")
#: Seconds after which a strategy is ended: greedy_ils may go round in points that it knows for ever. 64 new points of a
#: recording take it a fiftieth of a second.
_SECONDS = 5
#: Stands for a knob that is inactive; Kernel Tuner's spaces have every parameter at every point.
_INACTIVE = -1


def searches(space: Space, recording: Recording) -> dict[str, Callable[[int, int], list[float]]]:
    """By name, the best ratio after each new point, for a seed and a number of trials."""
    if find_spec("kernel_tuner") is None:
        return {}
    return {f"kernel_tuner, {s}": _search(s, space, recording) for s in STRATEGIES}


def _search(strategy: str, space: Space, recording: Recording) -> Callable[[int, int], list[float]]:
    names = [knob.name for knob in space.knobs]
    codes = {k.name: {v: i if isinstance(v, str) else v for i, v in enumerate(k.choices)} for k in space.knobs}

    def coded(point: dict[str, Value]) -> tuple[Any, ...]:
        return tuple(codes[n][point[n]] if n in point else _INACTIVE for n in names)

    points = {coded(dict(e.configuration)): e.value("ratio") for e in recording.results}
    parameters = {n: sorted({p[i] for p in points}) for i, n in enumerate(names)}

    def search(seed: int, trials: int) -> list[float]:
        import kernel_tuner

        cache = {
            "device_name": "recorded", "kernel_name": "recorded", "problem_size": 1, "tune_params_keys": names,
            "tune_params": parameters, "objective": "time",
            "cache": {
                ",".join(map(str, p)): {
                    **dict(zip(names, p, strict=True)), "time": "RuntimeFailedConfig" if r is None else r,
                    "times": [] if r is None else [r], "compile_time": 0, "verification_time": 0, "benchmark_time": 0,
                    "GFLOP/s": 0, "strategy_time": 0, "framework_time": 0, "timestamp": "2026-01-01 00:00:00+00:00",
                }
                for p, r in points.items()
            },
        }  # fmt: skip
        random.seed(seed)
        np.random.seed(seed)
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            file = Path(folder) / "cache.json"
            file.write_text(json.dumps(cache))
            found, _ = kernel_tuner.tune_kernel(
                "recorded", "", 1, [], parameters, cache=str(file), simulation_mode=True, strategy=strategy,
                restrictions=_restrictions(space, codes),
                strategy_options={"max_fevals": trials, "time_limit": _SECONDS}, verbose=False, quiet=True, lang="C",
            )  # fmt: skip
        best: list[float] = []
        seen: set[tuple[Any, ...]] = set()
        for result in found:
            point = tuple(result[n] for n in names)
            if point not in seen and len(best) < trials:
                seen.add(point)
                ratio = result["time"] if isinstance(result["time"], float) else 1.0
                best.append(min([*best[-1:], ratio]))
        return best + best[-1:] * (trials - len(best))  # it finds nothing more

    return search


def _restrictions(space: Space, codes: dict[str, dict[Value, Any]]) -> list[str]:
    """A knob is inactive exactly where its condition does not hold. ValueError where a space has other constraints."""
    if space.constraints:
        raise ValueError(f"space {space.name} has constraints, which are not translated")
    made = []
    for knob in space.knobs:
        if knob.when.terms:
            alternatives = [
                " or ".join(f"{name} == {codes[name][value]}" for value in values) for name, values in knob.when.terms
            ]
            active = " and ".join(f"({a})" for a in alternatives)
            made.append(f"({knob.name} != {_INACTIVE} and {active}) or ({knob.name} == {_INACTIVE} and not ({active}))")
    return made
