"""Times every point of a small space once and exports it, so that searches can be compared without a compiler.

    python -m experiments.record_space --minutes 15

Goes on where it was stopped. Writes experiments/results/space-blur-<CPU class>.json.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from autosched.runtime.cpu import fingerprint
from autosched.schedule import Schedule
from autosched.tune import Budget, Method, Task, load_space, tune
from autosched.workload import Binding, Workload

ROOT = Path(__file__).parent
sys.path.append(str(ROOT.parent / "tests" / "apps"))


def task() -> Task:
    """The blur of the tests on a plane of noise."""
    from classics import blur

    plane = np.random.default_rng(0).integers(0, 256, (720, 1280), np.uint8)
    space = load_space(ROOT / "spaces" / "blur.toml").space
    workload = Workload("photo", (Binding({"image": plane}, plane.shape),))
    return Task(blur().pipeline, space, workload, {"default": Schedule()})


def main() -> None:
    """Search the whole space, then export it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15.0)
    minutes = parser.parse_args().minutes
    result = tune(
        task(),
        Budget(seconds=60 * minutes),
        threads=1,
        report=lambda p: print(f"\r{p.trials} of {task().space.count()}, {p.stage}", end="", file=sys.stderr),
        method=Method(sampler="brute"),
    )
    if not result.exhausted:
        raise SystemExit(f"{len(result.trials)} points so far; the same command goes on")
    from autosched.tune.recording import record

    path = ROOT / "results" / f"space-blur-{fingerprint().cpu_class}.json"
    path.write_text(record(task(), result).to_json() + "\n")
    print(f"written to {path}")


if __name__ == "__main__":
    main()
