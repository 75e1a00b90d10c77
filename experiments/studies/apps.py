"""Blur, unsharp mask and Harris corners: tuned here, in Halide, in plain Numba and with OpenCV, in the same rounds.

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
from autosched.tune import Budget, Task, load_space, tune
from autosched.workload import Binding, Workload
from experiments.apps import elsewhere, in_halide
from experiments.apps.programs import APPS, App
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.implementation import NotAvailableError
from experiments.intervals import median, ratio_of_medians
from experiments.runner import left_out
from experiments.timing import interleave

_OURS, _BASELINE = "autosched", "halide-adams2019"
_SUBJECTS: Final = (_OURS, _BASELINE, "halide-manual", "numba", "opencv")
_SECONDS = 10.0
#: Schedules that are tried for each app and number of threads.
_TRIALS, _QUICK_TRIALS = 40, 2
#: Relative to the largest value of the output: implementations that round differently are called so, others wrong.
_NEAR = 1e-3

Job = Callable[[], npt.NDArray[Any]]


def cases(selection: Selection) -> Iterator[Case]:
    """A case an app and number of threads; apps are no workloads of a family, so a choice of those leaves them out."""
    if selection.families or selection.workloads or selection.implementations:
        return
    for threads in selection.threads:
        for app in APPS.values():
            yield Case("apps", app.name, threads, _SUBJECTS, partial(_measure, app, threads), _SECONDS)


def _measure(app: App, threads: int, effort: Effort) -> Iterator[Number]:
    image = app.image()
    effort.say("tuning")
    schedule = _tuned(app, image, threads, _QUICK_TRIALS if effort.quick else _TRIALS)
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
        "Is the compiler a general one: how do blur, unsharp mask and Harris corners compare with Halide, Numba and "
        "OpenCV?",
        cases,
        ("apps",),
    )
)
