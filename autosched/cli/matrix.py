"""`autosched matrix NAME`: every tuned schedule on every workload, and the fewest that serve them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import err, out, table
from autosched.cli.options import Name, Threads, duration, thread_count
from autosched.errors import ArgumentError

if TYPE_CHECKING:
    from autosched.cli.samples import Sampled
    from autosched.schedule import Schedule
    from autosched.tune.matrix import Matrix
    from autosched.tune.measure import Estimate
    from autosched.vlm.registry import KernelFamily


def matrix(
    name: Name,
    workload: Annotated[
        list[str] | None,
        typer.Option("--workload", "-w", help="May be repeated. [default: the usual ones]", show_default=False),
    ] = None,
    threads: Threads = None,
    time_budget: Annotated[str, typer.Option("--time-budget", help="How long to time, beside compiling.")] = "60s",
    within: Annotated[
        float, typer.Option("--within", help="How much slower than the best may be, as a fraction.")
    ] = 0.03,
) -> None:
    """Time the schedule of every bucket on every workload, interleaved, and say how few of them would do.

    At run time an image takes the schedule of the nearest bucket, so a schedule that serves several buckets costs
    nothing and is compiled once.
    """
    from autosched.cli.samples import choose, sample, space_of
    from autosched.tune.matrix import Matrix, cover
    from autosched.vlm.registry import get

    seconds = duration(time_budget, "--time-budget")
    if not 0 <= within < 1:
        raise ArgumentError(f"--within is {within}; it must be at least 0 and less than 1, 0.03 for 3 %")
    count = thread_count(threads)
    family = get(name)
    specs = choose(space_of(family), workload or [], None)
    sampled = [sample(family, spec, None) for spec in specs]
    schedules = candidates(family, sampled, count)
    made = Matrix(schedules, {}, {})
    for one in sampled:
        took, ratios = _row(family, one, schedules, count, seconds / len(sampled))
        name_ = one.workload.name
        made = Matrix(schedules, {**made.seconds, name_: took}, {**made.ratios, name_: ratios})
    _show(made, {one.workload.name: one for one in sampled})
    found = cover(made, within)
    console = out()
    plural = "s" if len(found.kept) > 1 else ""
    console.print(
        f"{len(found.kept)} schedule{plural} within {100 * within:.3g} % of the best of each workload, "
        f"at worst {100 * found.worst:.1f} %:"
    )
    for label in found.kept:
        served = ", ".join(w for w, s in found.serves.items() if s == label)
        console.print(f"  {label} for {served}", soft_wrap=True)


def candidates(family: KernelFamily, sampled: list[Sampled], threads: int) -> dict[str, Schedule]:
    """What this machine uses for each bucket, and the built-in default, without repetitions."""
    from autosched.vlm.load import load

    made: dict[str, Schedule] = {}
    seen: set[Schedule] = set()
    for one in sampled:
        tuned = load(family.name, bucket=one.bucket.name, threads=threads)
        default = family.schedules["default"](one.bucket)
        for label, schedule in ((f"tuned for {one.bucket.name}", tuned.answer.schedule), ("default", default)):
            if schedule is not None and schedule not in seen:
                seen.add(schedule)
                made[label if label not in made else f"{label} of {one.bucket.name}"] = schedule
    return made


def _row(
    family: KernelFamily, one: Sampled, schedules: dict[str, Schedule], threads: int, seconds: float
) -> tuple[dict[str, float], dict[str, Estimate]]:
    from autosched.tune.bench import Job
    from autosched.tune.isolated import IsolatedBench
    from autosched.tune.matrix import row

    job = Job(family.pipeline(), one.workload, threads, family.schedules["default"](one.bucket))
    bench = IsolatedBench(job)
    try:
        with err().status(f"{one.workload.name}: checking") as status:
            bench.start()
            return row(bench, schedules, seconds, lambda what: status.update(f"{one.workload.name}: {what}"))
    finally:
        bench.close()


def _show(made: Matrix, sampled: dict[str, Sampled]) -> None:
    rows = table("schedule", *(f"{w}, ms" for w in made.ratios), numbers=len(made.ratios))
    for label in made.schedules:
        cells = []
        for name, one in sampled.items():
            took = made.seconds[name].get(label)
            loss = made.loss(name, label)
            cells.append("fails" if took is None else f"{1e3 * took / one.workload.items:.4g} (+{100 * loss:.1f} %)")
        rows.add_row(label, *cells)
    out().print(rows)
