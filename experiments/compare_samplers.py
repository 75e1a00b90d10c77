"""How fast samplers come near the best schedule of a recorded space, and Kernel Tuner's strategies beside them.

    python -m experiments.compare_samplers

Reads experiments/results/space-blur-*.json, writes samplers-blur-*.csv: a row a sampler, a seed and a number of trials.
Nothing is compiled or timed. Kernel Tuner is optional: pip install kernel_tuner.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autosched.tune import PRESETS, Method
from autosched.tune.recording import Recording, load_recording, simulate
from autosched.tune.samplers import Sampler
from experiments import kernel_tuner_peer
from experiments.record_space import ROOT, task

SEEDS = 20
#: Within so much of the optimum counts as found, after this share of the points, or this number where that is more.
NEAR, SHARE, LEAST = 1.05, 0.1, 64

#: The best ratio after each trial, for a seed and a number of trials.
Search = Callable[[int, int], list[float]]


@dataclass(frozen=True)
class Summary:
    """A sampler over all seeds: the median of the trials that it needs, and how far from the optimum it is in the end.

    `needed` is None where the median search does not come near the optimum.
    """

    name: str
    needed: int | None
    found: int
    distance: float


def trials_of(recording: Recording) -> int:
    """How many trials a search may take."""
    return max(LEAST, round(SHARE * len(recording.results)))


def searches(recording: Recording) -> dict[str, Search]:
    """Everything that is compared, by name."""
    mine = task()

    def of(sampler: Sampler, polish: float) -> Search:
        effort = replace(PRESETS["quick"], polish=polish)
        return lambda seed, trials: simulate(mine, recording, Method(sampler, "warm", effort, seed), trials)

    made = {
        "tpe and polish, the default": of("tpe", PRESETS["quick"].polish),
        "random and polish": of("random", PRESETS["quick"].polish),
        "tpe": of("tpe", 0.0),
        "random": of("random", 0.0),
    }
    return {**made, **kernel_tuner_peer.searches(mine.space, recording)}


def summarise(name: str, curves: list[list[float]], best: float) -> Summary:
    """The medians over seeds; a search that does not come near counts as infinitely long."""
    needed = [next((i + 1 for i, r in enumerate(curve) if r <= NEAR * best), float("inf")) for curve in curves]
    middle = statistics.median(needed)
    return Summary(
        name,
        None if middle == float("inf") else int(middle),
        sum(n < float("inf") for n in needed),
        statistics.median(curve[-1] / best for curve in curves),
    )


def main(results: Path = ROOT / "results") -> list[Summary]:
    """Compare in every recording; returns the summaries of the last one."""
    summaries: list[Summary] = []
    for path in sorted(results.glob("space-blur-*.json")):
        recording = load_recording(path)
        best, trials = recording.best(), trials_of(recording)
        out = path.with_name(path.name.replace("space-", "samplers-")).with_suffix(".csv")
        summaries = []
        with out.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["sampler", "seed", "trial", "ratio to the optimum"])
            for name, search in searches(recording).items():
                curves = [search(seed, trials) for seed in range(SEEDS)]
                summaries.append(summarise(name, curves, best))
                for seed, curve in enumerate(curves):
                    rows.writerows([name, seed, i + 1, f"{r / best:.4f}"] for i, r in enumerate(curve))
        print(f"{path.name}: {len(recording.results)} points, {trials} trials, {SEEDS} seeds")
        for s in summaries:
            print(
                f"  {s.name:<32} within {100 * (NEAR - 1):.0f} % after {s.needed or 'more'} trials (median), "
                f"{s.found} of {SEEDS} seeds; {s.distance:.3f} of the optimum in the end"
            )
    return summaries


if __name__ == "__main__":
    main()
