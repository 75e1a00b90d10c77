"""Shapes that no search has seen: the schedule that is looked up for them against one that is tuned for them.

A shape is the size of an image with a limit of pixels, drawn at random. "Tuned for it" is the winner of a search of its
own on this shape, which starts from everything that is known: the built-in schedules, what is looked up, the records of
all buckets, and the fastest schedules of earlier searches on this machine. It knows more than the looked-up one, then.
Both are timed in the same interleaved rounds after the search.

`autosched tune qwen2.5-vl` comes first: it writes what is looked up.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from autosched.cli.samples import space_of
from autosched.records import key_here
from autosched.schedule import Schedule
from autosched.tune import Budget, Task, tune
from autosched.tune.bench import Job
from autosched.tune.isolated import IsolatedBench
from autosched.tune.study import read_study
from autosched.tune.task import study_name
from autosched.vlm.load import Tuned, load
from autosched.vlm.qwen_vl import QwenVL
from autosched.vlm.registry import KernelFamily, get
from autosched.workload import Workload, nearest
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.intervals import Interval, median, ratio_of_medians
from experiments.workloads import MOST_PIXELS, SERVED_PIXELS

KERNEL: Final = "qwen2.5-vl"
SHAPES, SEED = 30, 4
#: Sides of an image in pixels, each as likely, and the largest aspect ratio.
SIDES, ASPECT = (256, 3072), 3.0
#: Limits of pixels, each as likely: the published one, and those of 1280, 768 and 256 tokens that deployments choose.
LIMITS = (MOST_PIXELS, SERVED_PIXELS, 768 * 28**2, 256 * 28**2)
#: Seconds of the search for a shape, and of the rounds that compare.
SEARCH, COMPARE = 25.0, 4.0
#: Of each earlier search so many schedules are tried.
FASTEST = 2
LOOKED_UP, TUNED = "looked up", "tuned for the shape"


@dataclass(frozen=True)
class Shape:
    """An image's size, and the most pixels that it is resized to."""

    width: int
    height: int
    max_pixels: int

    @property
    def name(self) -> str:
        """As in tables."""
        return f"{self.width}x{self.height}" + f"-max{self.max_pixels}" * (self.max_pixels != MOST_PIXELS)


def shapes(count: int = SHAPES, seed: int = SEED) -> tuple[Shape, ...]:
    """The shapes of the experiment: both sides change, since drop-ins leave out a pass that does nothing."""
    rng = random.Random(seed)
    settings, limits = QwenVL(), get(KERNEL).settings
    made: list[Shape] = []
    while len(made) < count:
        width, height = rng.randint(*SIDES), rng.randint(*SIDES)
        if max(width, height) > ASPECT * min(width, height):
            continue
        shape = Shape(width, height, rng.choice(LIMITS))
        resized = settings.smart_resize(height, width, int(limits["min_pixels"]), shape.max_pixels)
        if height != resized[0] and width != resized[1]:
            made.append(shape)
    return tuple(made)


def cases(selection: Selection) -> Iterator[Case]:
    """A case a shape, on all threads, so that a run can be stopped between any two."""
    for shape in shapes() if selection.chosen([KERNEL], selection.families) else ():
        if not selection.workloads or shape.name in selection.workloads:
            for threads in selection.all_threads:
                measure = partial(_measure, shape, threads)
                yield Case(KERNEL, shape.name, threads, (LOOKED_UP, TUNED), measure, SEARCH + COMPARE)


def _measure(shape: Shape, threads: int, effort: Effort) -> list[Number]:
    family = get(KERNEL)
    images = family.specimens({"sizes": [[shape.width, shape.height]]})
    made = family.workload(images, {**family.settings, "max_pixels": shape.max_pixels})
    workload = replace(made, name=shape.name)
    bucket = nearest(workload.measures, family.buckets) or family.buckets[0]
    known = load(KERNEL, bucket=bucket.name, threads=threads)
    share = effort.seconds / (SEARCH + COMPARE)
    return against_its_own(known, workload, known_schedules(family, threads), SEARCH * share, COMPARE * share)


def known_schedules(family: KernelFamily, threads: int) -> dict[str, Schedule]:
    """What a search may start from: the schedules of all buckets, and the fastest of earlier searches on the usual
    workloads.
    """
    file = space_of(family)
    pipeline = family.pipeline()
    made: dict[str, Schedule] = {}
    for bucket in family.buckets:
        made[f"of {bucket.name}"] = load(family.name, bucket=bucket.name, threads=threads).schedule
    for spec in (w for w in file.workloads if w.tune):
        workload = replace(
            family.workload(family.specimens(spec.samples), {**family.settings, **spec.settings}), name=spec.name
        )
        bucket = nearest(workload.measures, family.buckets) or family.buckets[0]
        task = Task(pipeline, file.space, workload, bucket=bucket)
        found = read_study(pipeline.name, study_name(task, key_here(pipeline, bucket, threads)), file.space)
        timed = [t for t in found.trials if t.outcome.kind == "ok" and t.outcome.ratio is not None]
        for trial in sorted(timed, key=lambda t: t.outcome.ratio or 0.0)[:FASTEST]:
            made[f"{spec.name}, trial {trial.number}"] = trial.schedule
    return {
        label: schedule for i, (label, schedule) in enumerate(made.items()) if schedule not in list(made.values())[:i]
    }


class _Kept(IsolatedBench):
    """Stays alive after the search, for the comparison."""

    def close(self) -> None:
        """Nothing yet."""

    def end(self) -> None:
        """Now."""
        super().close()


def against_its_own(
    known: Tuned, workload: Workload, seeds: dict[str, Schedule], search: float, compare: float
) -> Sequence[Number]:
    """Search on `workload` for `search` seconds, then time the schedule of `known` against the winner."""
    family = known.family
    schedules = {label: make(known.bucket) for label, make in family.schedules.items()}
    task = Task(
        known.pipeline, space_of(family).space, workload, schedules, known.bucket, {LOOKED_UP: known.schedule, **seeds}
    )
    benches: list[_Kept] = []

    def bench(job: Job) -> _Kept:
        benches.append(_Kept(job))
        return benches[-1]

    try:
        with tempfile.TemporaryDirectory() as folder:
            result = tune(task, Budget(seconds=search), threads=known.threads, directory=Path(folder), bench=bench)
        entered = [benches[-1].prepare(schedule) for schedule in (known.schedule, result.schedule)]
        same = entered[0].source == entered[1].source
        ours, own = benches[-1].rounds(entered, seconds=compare, least=9, most=201)
    finally:
        for each in benches:
            each.end()
    ratio = Interval(1.0, 1.0, 1.0) if same else ratio_of_medians(ours, own)
    common = {"repeats": len(ours), "noise": result.record.times.noise}
    rung = f"bucket {known.bucket.name}, {known.answer.rung}"
    trials = f"{result.record.search.trials} schedules timed, best: {result.final.winner.label}"
    scale = 1e3 / workload.items
    return [
        Number(LOOKED_UP, "time over", ratio, "x", against=TUNED, note=rung + "; the same code" * same, **common),
        *(
            Number(name, "time", Interval(*(scale * x for x in (t.value, t.low, t.high))), "ms", note=note, **common)
            for name, t, note in ((LOOKED_UP, median(ours), rung), (TUNED, median(own), trials))
        ),
    ]


EXPERIMENTS.add(
    Experiment(
        "unseen-shapes",
        "Shapes that no search has seen",
        "How much slower is the schedule that is looked up for a shape than one that is tuned for it?",
        cases,
        plots=("unseen_shapes",),
        alone=True,
    )
)
