"""`autosched bench NAME`: time a kernel's schedules and its peers against each other, interleaved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import err, out, table
from autosched.cli.options import Images, Name, Threads, duration, thread_count

if TYPE_CHECKING:
    from autosched.cli.samples import Sampled
    from autosched.tune.measure import Run
    from autosched.vlm.registry import KernelFamily


def bench(
    name: Name,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            "--workload",
            "-w",
            help="Time this workload; may be repeated. [default: the usual ones]",
            show_default=False,
        ),
    ] = None,
    images: Images = None,
    threads: Threads = None,
    time_budget: Annotated[str, typer.Option("--time-budget", help="How long to time each workload.")] = "5s",
) -> None:
    """Time a kernel's schedules and other implementations, interleaved in one process.

    Kernels are timed from decoded images to a reused output; others do what their users would call.
    """  # fmt: skip
    from autosched.cli.samples import choose, sample, space_of
    from autosched.vlm.registry import get

    seconds = duration(time_budget, "--time-budget")
    count = thread_count(threads)
    family = get(name)
    for spec in choose(space_of(family), workload or [], images):
        _time(family, sample(family, spec, images), count, seconds)


def _time(family: KernelFamily, sampled: Sampled, threads: int, seconds: float) -> None:
    from autosched.tune.measure import estimate, rounds
    from autosched.vlm.load import load

    tuned = load(family.name, bucket=sampled.bucket.name, threads=threads)
    title = f"{family.name}, {sampled.workload.name}, bucket {sampled.bucket.name}"
    with err().status(f"{title}: preparing"):
        runs, missing = _runs(family, sampled, threads)
    labels = list(runs)
    with err().status(f"{title}: timing"):
        times = rounds(list(runs.values()), seconds=seconds, least=5, most=201)
    default = times[labels.index("default")]
    console = out()
    plural = "s" if threads > 1 else ""
    console.print(f"{title}, {threads} thread{plural}, {len(default)} rounds; tuned is: {tuned.answer.rung}")
    rows = table("", "ms per item", "times the default's speed", numbers=2)
    for label, took in zip(labels, times, strict=True):
        ms = estimate(took).scaled(1e3 / sampled.workload.items)
        ratio = estimate([d / t for d, t in zip(default, took, strict=True)])
        rows.add_row(label, f"{ms.median:.4g}", f"{ratio.median:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]")
    for label, why in missing.items():
        rows.add_row(label, "-", why)
    console.print(rows)


def _runs(family: KernelFamily, sampled: Sampled, threads: int) -> tuple[dict[str, Run], dict[str, str]]:
    """What can be timed, by label, and why the rest cannot. Each has run once."""
    from autosched.tune.candidate import CandidateError, Preparer
    from autosched.vlm.load import load

    tuned = load(family.name, bucket=sampled.bucket.name, threads=threads)
    preparer = Preparer(tuned.pipeline, sampled.workload, threads)
    schedules = {label: make(sampled.bucket) for label, make in family.schedules.items()}
    if tuned.answer.schedule is not None:
        schedules["tuned"] = tuned.answer.schedule
    runs: dict[str, Run] = {}
    missing: dict[str, str] = {}
    for label, schedule in schedules.items():
        try:
            runs[label] = preparer.prepare(schedule).run
        except CandidateError as error:
            if label == "default":
                raise
            missing[label] = f"{error.kind}: {error}"
    for label, peer in family.peers.items():
        try:
            job = peer(sampled.images, sampled.settings)
        except ImportError as error:
            missing[label] = f"{error.name or error} is not installed"
            continue
        job()
        runs[label] = job
    return runs, missing
