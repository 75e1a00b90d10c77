"""Blur, unsharp mask and Harris corners: tuned here, in Halide, in plain Numba and with OpenCV, interleaved.

`python -m experiments.bench_apps` tunes what has not been tuned, times all in the same rounds, prints the table and
keeps it. Every implementation is compared with the interpreter's result first.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from autosched.runtime import Kernel, default_threads
from autosched.runtime.cpu import fingerprint
from autosched.schedule import Schedule
from autosched.tune import Budget, Task, load_space, tune
from autosched.workload import Binding, Workload
from experiments.apps import elsewhere, in_halide
from experiments.apps.programs import APPS, App
from experiments.environment import environment, load
from experiments.implementation import NotAvailableError
from experiments.intervals import median, ratio_of_medians
from experiments.options import chosen, counts
from experiments.timing import Rounds, interleave

RESULTS = Path(__file__).parent / "results"
ROUNDS = Rounds(least=9, most=60, seconds=10.0)
_OURS, _BASELINE = "autosched", "halide-adams2019"
#: Relative to the largest value of the output: implementations that round differently are called so, others wrong.
_NEAR = 1e-3

Job = Callable[[], npt.NDArray[Any]]


def main(
    threads: Annotated[str, typer.Option(help="Numbers of threads; by default 1 and all.")] = "",
    apps: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(APPS),
    trials: Annotated[int, typer.Option(help="Schedules that are tried for each app and number of threads.")] = 40,
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
    here: Annotated[bool, typer.Option(hidden=True, help="In this process, for one number of threads.")] = False,
) -> None:
    """Tune the apps, time them beside their peers, keep the rows, print the tables."""
    path = results / f"apps-{fingerprint().cpu_class}.csv"
    wanted = counts(threads, default_threads())
    if not here:
        # Halide and OpenCV read their number of threads once a process.
        rest = ["--apps", apps, "--trials", str(trials), "--results", str(results), "--here"]
        for count in wanted:
            command = [sys.executable, "-m", "experiments.bench_apps", "--threads", str(count), *rest]
            subprocess.run(command, check=True, env={**os.environ, "HL_NUM_THREADS": str(count)})
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    for name in chosen(apps, APPS, "--apps"):
        rows = _measure(APPS[name], wanted[0], trials, console)
        console.print(_table(rows))
        _keep(path, rows)


def _measure(app: App, threads: int, trials: int, console: Console) -> pd.DataFrame:
    image = app.image()
    console.print(f"{app.title}: tuning on {threads} thread{'s' * (threads > 1)}", highlight=False)
    schedule = _tuned(app, image, threads, trials)
    expected = Kernel(app.pipeline())(shape=app.shape, image=image)
    made: dict[str, Callable[[], Job]] = {
        _OURS: partial(_ours, app, image, schedule, threads),
        _BASELINE: partial(in_halide.job, app, image, "adams2019", threads),
        "halide-manual": partial(in_halide.job, app, image, "manual", threads),
        "numba": partial(elsewhere.in_numba, app, image, threads),
        "opencv": partial(elsewhere.in_opencv, app, image, threads),
    }
    jobs: dict[str, Job] = {}
    notes: dict[str, str] = {}
    for name, make in made.items():
        try:
            jobs[name] = make()
        except NotAvailableError as reason:
            console.print(f"left out: {reason}", highlight=False)
            continue
        notes[name] = _difference(jobs[name](), expected)
    before = load()
    times = interleave(jobs, ROUNDS)
    rows = []
    for name in jobs:
        ms = median([1000 * seconds for seconds in times[name]])
        speedup = ratio_of_medians(times[_BASELINE], times[name]) if _BASELINE in times else None
        rows.append(
            {
                "app": app.name,
                "title": app.title,
                "threads": threads,
                "implementation": name,
                "ms": ms.value,
                "ms_low": ms.low,
                "ms_high": ms.high,
                "speedup": speedup.value if speedup else np.nan,
                "speedup_low": speedup.low if speedup else np.nan,
                "speedup_high": speedup.high if speedup else np.nan,
                "against": _BASELINE,
                "bits": notes[name],
                "schedule": json.dumps(schedule.to_data()) if name == _OURS else "",
                "rounds": len(times[name]),
                "load": before,
                "cpu": environment().cpu,
                "versions": environment().versions,
            }
        )
    return pd.DataFrame(rows)


def _tuned(app: App, image: npt.NDArray[Any], threads: int, trials: int) -> Schedule:
    """The best schedule of the app's space; the search goes on where an earlier one ended."""
    workload = Workload(app.name, (Binding({"image": image}, app.shape),), checks=lambda: (_small(app, image),))
    space = load_space(app.space).space
    task = Task(app.pipeline(), space, workload, {"default": space.schedule(space.default())})
    return tune(task, Budget(trials=trials, seconds=None), threads=threads).schedule


def _small(app: App, image: npt.NDArray[Any]) -> Binding:
    """A call on a corner of the image, for the interpreter."""
    height, width = 70, 90
    reach = [whole - part for whole, part in zip(image.shape[-2:], app.shape[-2:], strict=True)]
    corner = np.ascontiguousarray(image[..., :height, :width])
    return Binding({"image": corner}, (*app.shape[:-2], height - reach[0], width - reach[1]))


def _ours(app: App, image: npt.NDArray[Any], schedule: Schedule, threads: int) -> Job:
    call = Kernel(app.pipeline(), schedule).bind(out=np.empty(app.shape, image.dtype), image=image)
    return lambda: call.run(threads)


def _difference(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> str:
    """How a result differs from the interpreter's."""
    if found.shape != expected.shape:
        return "other edges"
    if np.array_equal(found, expected):
        return "the same"
    furthest = np.abs(found.astype(np.float64) - expected).max() / np.abs(expected).max()
    return "other rounding" if furthest < _NEAR else "other values"


def _table(rows: pd.DataFrame) -> Table:
    first = rows.iloc[0]
    table = Table(title=f"{first.title}, {first.threads} thread{'s' if first.threads > 1 else ''}")
    for heading in ("implementation", "ms", f"speedup over {_BASELINE}", "bits"):
        table.add_column(heading, justify="left" if heading in ("implementation", "bits") else "right")
    for row in rows.itertuples():
        spread = f"{row.speedup:.2f} ({row.speedup_low:.2f}..{row.speedup_high:.2f})"
        table.add_row(str(row.implementation), f"{row.ms:.2f}", spread, str(row.bits))
    return table


def _keep(path: Path, rows: pd.DataFrame) -> None:
    """Replaces the rows of the same app and number of threads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        kept = pd.read_csv(path)
        first = rows.iloc[0]
        rows = pd.concat([kept[(kept.app != first.app) | (kept.threads != first.threads)], rows])
    rows.sort_values(["app", "threads", "implementation"]).to_csv(path, index=False, float_format="%.5g")


if __name__ == "__main__":
    app_ = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app_.command()(main)
    app_()
