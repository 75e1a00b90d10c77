"""`autosched matrix NAME`: every tuned schedule on every workload, and the fewest that serve them all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import err, out, table, warn
from autosched.cli.emit import emit
from autosched.cli.options import Json, Name, Regime, Threads, duration, thread_count
from autosched.errors import ArgumentError, TuneError

if TYPE_CHECKING:
    from autosched.cli.samples import Sampled
    from autosched.records import Record
    from autosched.schedule import Schedule
    from autosched.tune.matrix import Cover, Matrix, MatrixRow
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
    regime: Regime = "warm",
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Record for each bucket the schedule of the smallest set, and keep the matrix for the report.",
        ),
    ] = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write records to this directory.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Time the schedule of every bucket on every workload, interleaved, and say how few of them would do.

    At run time an image takes the schedule of the nearest bucket, so a schedule that serves several buckets costs
    nothing and is compiled once. `autosched tune` on several workloads ends with this and records it.
    """
    from autosched.cli.samples import choose, sample, space_of
    from autosched.cli.written import tell
    from autosched.records import put
    from autosched.shipped import user_directory
    from autosched.vlm.registry import get

    seconds = duration(time_budget, "--time-budget")
    if not 0 <= within < 1:
        raise ArgumentError(f"--within is {within}; it must be at least 0 and less than 1, 0.03 for 3 %")
    count = thread_count(threads)
    family = get(name)
    sampled = [sample(family, spec, None) for spec in choose(space_of(family), workload or [], None)]
    records = exact_records(family, sampled, count)
    if write and not records:
        raise ArgumentError(f"{name} has no record of this machine to write to; `autosched tune {name}` makes them")
    tuned = {f"tuned for {bucket}": record.schedule for bucket, (record,) in records.items()}
    if write:
        records = _rewritable(records, sampled)
    then = partial(_emit, name, count, within) if json else None
    written = compare(family, sampled, tuned, records, count, seconds, regime, within, keeping=write, then=then)
    if write:
        for file in put(written, family.pipeline().name, out_dir or user_directory()):
            tell(file, written)


def _rewritable(records: dict[str, list[Record]], sampled: Sequence[Sampled]) -> dict[str, list[Record]]:
    """Those that were tuned on nothing but these workloads: of others, what they say would be lost."""
    here = {one.workload.name for one in sampled}
    made: dict[str, list[Record]] = {}
    for bucket, (record,) in records.items():
        others = sorted({record.search.workload, *(record.losses or ())} - here)
        if others:
            warn(f"the record of bucket {bucket} stays as it is: it was tuned on {', '.join(others)}, which this "
                 "matrix does not have")  # fmt: skip
        else:
            made[bucket] = [record]
    if not made:
        raise ArgumentError("no record is of the workloads of this matrix alone; without --write it is only shown")
    return made


def exact_records(family: KernelFamily, sampled: Sequence[Sampled], threads: int) -> dict[str, list[Record]]:
    """The record of each bucket that was tuned on a machine like this, with so many threads."""
    from autosched.vlm.load import load

    made: dict[str, list[Record]] = {}
    for one in sampled:
        answer = load(family.name, bucket=one.bucket.name, threads=threads).answer
        if answer.rung == "exact" and answer.located is not None:
            made[one.bucket.name] = [answer.located.record]
    return made


def compare(
    family: KernelFamily,
    sampled: Sequence[Sampled],
    schedules: Mapping[str, Schedule],
    records: Mapping[str, Sequence[Record]],
    threads: int,
    seconds: float,
    regime: Regime,
    within: float | None = None,
    keeping: bool = True,
    then: Callable[[Matrix, Cover], None] | None = None,
) -> list[Record]:
    """Time `schedules` and the built-in defaults on all workloads, and show the matrix and its cover; with `keeping` it
    is kept for the report. Returns what the `records` of each bucket become.
    """
    from dataclasses import asdict

    from autosched.records import Machine, key_here
    from autosched.tune.covering import covering
    from autosched.tune.machine import Watch
    from autosched.tune.matrix import WITHIN, Matrix, cover
    from autosched.tune.matrix_file import keep

    watch = Watch()
    entered, defaults = candidates(family, sampled, schedules)
    rows = {
        one.workload.name: _row(
            family, one, entered, defaults[one.bucket.name], threads, seconds / len(sampled), regime
        )
        for one in sampled
    }  # fmt: skip
    made = Matrix(entered, rows)
    within = WITHIN if within is None else within
    found = cover(made, within)
    show(made, found, within)
    if then is not None:
        then(made, found)
    pipeline = family.pipeline()
    if keeping:
        try:
            keep(made, found, pipeline.name, key_here(pipeline, sampled[0].bucket, threads), regime)
        except TuneError as error:
            warn(f"the report will not have this matrix: {error}")
    return covering(made, found, records, Machine(**asdict(watch.state())), regime)


def candidates(
    family: KernelFamily, sampled: Sequence[Sampled], schedules: Mapping[str, Schedule]
) -> tuple[dict[str, Schedule], dict[str, str]]:
    """Schedules by label, without repetitions, with the built-in default of each bucket, and those defaults' labels."""
    buckets = {one.bucket.name: one.bucket for one in sampled}
    made: dict[str, Schedule] = {}
    defaults: dict[str, str] = {}
    for name, bucket in buckets.items():
        default = family.schedules["default"](bucket)
        known = next((label for label, schedule in made.items() if schedule == default), None)
        defaults[name] = known or ("default" if "default" not in made else f"default of {name}")
        made.setdefault(defaults[name], default)
    for label, schedule in schedules.items():
        if schedule not in made.values():
            made[label] = schedule
    return made, defaults


def _row(
    family: KernelFamily,
    one: Sampled,
    schedules: Mapping[str, Schedule],
    default: str,
    threads: int,
    seconds: float,
    regime: Regime,
) -> MatrixRow:
    from autosched.tune.bench import Job
    from autosched.tune.isolated import IsolatedBench
    from autosched.tune.matrix import row

    workload = one.workload
    bench = IsolatedBench(Job(family.pipeline(), workload, threads, schedules[default], regime))
    try:
        with err().status(f"{workload.name}: checking") as status:
            bench.start()
            return row(
                bench, schedules, one.bucket.name, default, seconds, workload.items,
                lambda what: status.update(f"{workload.name}: {what}"),
            )  # fmt: skip
    finally:
        bench.close()


def _emit(name: str, threads: int, within: float, made: Matrix, found: Cover) -> None:
    """Each schedule on each workload: milliseconds per item, and how much longer than the best as a fraction."""
    workloads = []
    for workload, row in made.rows.items():
        took = {label: row.seconds.get(label) for label in made.schedules}
        cells = {
            label: None if s is None else {"ms": 1e3 * s.median / row.items, "loss": row.loss(label)}
            for label, s in took.items()
        }
        workloads.append({"workload": workload, "bucket": row.bucket, "schedules": cells})
    emit(
        "matrix",
        kernel=name,
        threads=threads,
        within=within,
        worst=found.worst,
        kept=list(found.kept),
        serves=dict(found.serves),
        workloads=workloads,
    )


def show(made: Matrix, found: Cover, within: float) -> None:
    """The matrix as a table, and which schedule serves which workloads."""
    rows = table("schedule", *(f"{w}, ms" for w in made.rows), numbers=len(made.rows))
    for label in made.schedules:
        cells = []
        for row in made.rows.values():
            took = row.seconds.get(label)
            ms = None if took is None else 1e3 * took.median / row.items
            cells.append("fails" if ms is None else f"{ms:.4g} (+{100 * row.loss(label):.1f} %)")
        rows.add_row(label, *cells)
    console = out()
    console.print(rows)
    plural = "s" if len(found.kept) > 1 else ""
    said = f"within {100 * within:.3g} % of the best of each workload"
    if found.worst > within:
        said = "to lose the least: a bucket's workloads differ"
    console.print(f"{len(found.kept)} schedule{plural} {said}, at worst {100 * found.worst:.1f} %:")
    for label in found.kept:
        served = {bucket: ws for bucket, ws in made.buckets().items() if found.serves[bucket] == label}
        buckets = "; ".join(f"{bucket} ({', '.join(ws)})" for bucket, ws in served.items())
        console.print(f"  {label} for {buckets}", soft_wrap=True)
