"""`autosched tune qwen2.5-vl --preset standard`, twice from scratch: how long it takes, and how near the winners are.

Each run has directories of its own for studies, records and compiled kernels, which are empty when it begins.
Afterwards what either run has recorded for each workload is timed in the same interleaved rounds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from autosched.cli.samples import sample, space_of
from autosched.records import Located, find, key_here
from autosched.tune.bench import Job
from autosched.tune.isolated import IsolatedBench
from autosched.tune.place import state_directory
from autosched.vlm.registry import get
from experiments.environment import code
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.implementation import NotAvailableError
from experiments.intervals import Interval, ratio_of_medians

KERNEL: Final = "qwen2.5-vl"
RUNS: Final = ("run 1", "run 2")
#: Seconds that a workload's winners are timed against each other.
COMPARE = 10.0


@dataclass(frozen=True)
class Run:
    """A run's directory, which outlives the process, for the comparison comes later."""

    name: str
    preset: str
    threads: int

    @property
    def directory(self) -> Path:
        """Where it keeps everything; of this version of the code."""
        stem = f"{self.name.replace(' ', '-')}-{self.preset}-{self.threads}-{code()}"
        return state_directory().parent / "tuned-twice" / stem

    @property
    def tuned(self) -> Path:
        """Its records."""
        return self.directory / "tuned"


def cases(selection: Selection) -> Iterator[Case]:
    """The two runs, and the comparison of each workload, on all threads."""
    for threads in selection.all_threads if selection.chosen([KERNEL], selection.families) else ():
        for name in RUNS:
            yield Case(KERNEL, "all", threads, (name,), partial(_tune, name, threads), case=name)
        for spec in space_of(get(KERNEL)).workloads:
            if spec.tune:
                measure = partial(_compare, spec.name, threads)
                yield Case(KERNEL, spec.name, threads, ("run 2",), measure, COMPARE)


def _tune(name: str, threads: int, effort: Effort) -> list[Number]:
    run = Run(name, _preset(effort), threads)
    shutil.rmtree(run.directory, ignore_errors=True)
    places = {"AUTOSCHED_STATE_DIR": "state", "AUTOSCHED_TUNED_DIR": "tuned", "AUTOSCHED_CACHE_DIR": "cache"}
    env = {**os.environ, **{variable: str(run.directory / folder) for variable, folder in places.items()}}
    run.directory.mkdir(parents=True)
    command = [sys.executable, "-c", "from autosched.cli.main import main; main()"]
    begin = time.monotonic()
    with (run.directory / "log").open("w") as log:
        done = subprocess.run(
            [*command, "tune", KERNEL, "--preset", run.preset, "-t", str(threads)], env=env, stdout=log, check=False
        )
    seconds = time.monotonic() - begin
    if done.returncode:
        raise NotAvailableError(f"autosched tune ended with status {done.returncode}; see {run.directory / 'log'}")
    return [Number(name, "time", Interval(seconds, seconds, seconds), "s", note=f"--preset {run.preset}")]


def _compare(workload: str, threads: int, effort: Effort) -> list[Number]:
    """Both runs' records for a workload, and the built-in default, in the same rounds."""
    family = get(KERNEL)
    pipeline = family.pipeline()
    sampled = sample(family, space_of(family).workload(workload), None)
    default = family.schedules["default"](sampled.bucket)
    found: list[Located] = []
    for name in RUNS:
        run = Run(name, _preset(effort), threads)
        answer = find(key_here(pipeline, sampled.bucket, threads), pipeline.name, directories=[run.tuned])
        if answer.rung != "exact" or answer.located is None:
            raise NotAvailableError(f"{name} has no record for {workload}")
        found.append(answer.located)
    bench = IsolatedBench(Job(pipeline, sampled.workload, threads, default))
    try:
        base = bench.start()
        ready = [bench.prepare(located.record.schedule) for located in found]
        first, second, usual, again = bench.rounds([*ready, base, base], seconds=effort.seconds, least=15, most=401)
    finally:
        bench.close()
    noise = ratio_of_medians(again, usual)
    common = {"repeats": len(first), "noise": max(abs(noise.low - 1), abs(noise.high - 1))}
    same = "the same code" if ready[0].source == ready[1].source else ""
    trials = " and ".join(str(located.record.search.trials) for located in found)
    return [
        Number("run 2", "time over", ratio_of_medians(second, first), "x", against="run 1", note=same, **common),
        *(
            Number(
                name,
                "speedup",
                ratio_of_medians(usual, took),
                "x",
                against="default",
                note=f"trials: {trials}",
                **common,
            )
            for name, took in zip(RUNS, (first, second), strict=True)
        ),
    ]


def _preset(effort: Effort) -> str:
    return "quick" if effort.quick else "standard"


EXPERIMENTS.add(
    Experiment(
        "tuned-twice",
        "Two searches from scratch",
        "Does `autosched tune --preset standard` find schedules that are as fast, twice, in ten minutes each?",
        cases,
        alone=True,
    )
)
