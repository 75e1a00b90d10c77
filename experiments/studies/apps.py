"""Halide's apps: tuned here, in Halide, in plain Numba and by functions of libraries, in the same rounds.

Every implementation is compared with the result of the untuned program, which the interpreter has checked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from autosched.runtime import Kernel
from autosched.schedule import Schedule
from autosched.tune import Budget, Method, Task, tune
from autosched.workload import Binding, Workload
from experiments.apps import elsewhere, in_halide
from experiments.apps.programs import APPS, App
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.implementation import NotAvailableError
from experiments.intervals import median, ratio_of_medians
from experiments.runner import left_out
from experiments.timing import interleave

_OURS, _BASELINE = "autosched", "halide-adams2019"
_SUBJECTS: Final = (_OURS, _BASELINE, "halide-manual", "numba", "opencv", "torch")
_SECONDS = 10.0
#: Schedules that are tried for each app and number of threads.
_TRIALS, _QUICK_TRIALS = 40, 2
#: Others run in between, so that little of what a program reads and writes is in the caches when it begins.
_METHOD: Final = Method(regime="cold-source")
#: Relative to the largest value of the output: implementations that round differently are called so, others wrong.
_NEAR = 1e-3

Inputs = dict[str, npt.NDArray[Any]]
Job = Callable[[], npt.NDArray[Any]]


def cases(selection: Selection) -> Iterator[Case]:
    """A case an app and number of threads; apps are no workloads of a family, so a choice of those leaves them out."""
    if selection.families or selection.workloads or selection.implementations:
        return
    for threads in selection.threads:
        for app in APPS.values():
            yield Case("apps", app.name, threads, _SUBJECTS, partial(_measure, app, threads), _SECONDS)


def _measure(app: App, threads: int, effort: Effort) -> Iterator[Number]:
    inputs = app.inputs(app.shape)
    effort.say("tuning")
    schedule = _tuned(app, inputs, threads, _QUICK_TRIALS if effort.quick else _TRIALS)
    expected = Kernel(app.pipeline())(shape=app.shape, **inputs)
    made: dict[str, Callable[[], Job]] = {
        _OURS: partial(_ours, app, inputs, schedule, threads),
        _BASELINE: partial(in_halide.job, app, inputs, "adams2019", threads),
        "halide-manual": partial(in_halide.job, app, inputs, "manual", threads),
        "numba": partial(elsewhere.in_numba, app, inputs, threads),
        "opencv": partial(elsewhere.in_opencv, app, inputs, threads),
        "torch": partial(elsewhere.in_torch, app, inputs, threads),
    }
    jobs: dict[str, Job] = {}
    notes: dict[str, str] = {}
    for name, make in made.items():
        effort.say(f"compiling {name}")
        try:
            jobs[name] = make()
        except NotAvailableError as reason:
            yield left_out(name, str(reason))
            continue
        notes[name] = _difference(jobs[name](), expected)
    times = interleave(jobs, effort.rounds, lambda n: effort.say(f"round {n}"))
    for name, seconds in times.items():
        about: dict[str, Any] = {
            "repeats": len(seconds),
            "exact": not notes[name],
            "note": notes[name],
            "kernels": json.dumps(schedule.to_data()) if name == _OURS else "",
        }
        yield Number(name, "time", median([1000 * s for s in seconds]), "ms", **about)
        if _BASELINE in times:
            ratio = ratio_of_medians(times[_BASELINE], seconds)
            yield Number(name, "speedup", ratio, "x", against=_BASELINE, **about)


def _tuned(app: App, inputs: Inputs, threads: int, trials: int) -> Schedule:
    """The best schedule of the app's space; the search goes on where an earlier one ended."""
    small = Binding(app.inputs(app.small), app.small)
    workload = Workload(app.name, (Binding(inputs, app.shape),), checks=lambda: (small,))
    task = Task(app.pipeline(), app.space(), workload)
    return tune(task, Budget(trials=trials, seconds=None), threads=threads, method=_METHOD).schedule


def _ours(app: App, inputs: Inputs, schedule: Schedule, threads: int) -> Job:
    pipeline = app.pipeline()
    call = Kernel(pipeline, schedule).bind(out=np.empty(app.shape, pipeline.output.type.dtype), **inputs)
    return lambda: call.run(threads)


def _difference(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> str:
    """How a result differs; "" where it does not."""
    if found.shape != expected.shape:
        return "other edges"
    if np.array_equal(found, expected):
        return ""
    furthest = np.abs(found.astype(np.float64) - expected).max() / np.abs(expected).max()
    return "other rounding" if furthest < _NEAR else "other values"


EXPERIMENTS.add(
    Experiment(
        "apps",
        "Halide's apps",
        "Is the compiler a general one: how do filters, a matrix product and convolutions compare with Halide, Numba, "
        "OpenCV and torch?",
        cases,
        ("apps",),
    )
)
