"""`autosched tune NAME`: search for the fastest schedule on this machine and record it."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import amount, complain, err, out, say, table, warn
from autosched.cli.options import (
    Account,
    Constraint,
    DryRun,
    Images,
    LedgerFile,
    Name,
    Nodes,
    NoWait,
    Partition,
    Preset,
    Regime,
    RegimeName,
    Sampler,
    Sbatch,
    Slurm,
    Threads,
    TimeLimit,
    duration,
    thread_count,
)
from autosched.cli.passing import passed_on, refuse_cluster_options
from autosched.errors import ArgumentError, RecordError

if TYPE_CHECKING:
    from autosched.cli.samples import Sampled
    from autosched.records import Record
    from autosched.tune import Progress, Result
    from autosched.tune.ledger import Found, Ledger
    from autosched.vlm.registry import KernelFamily

#: Noise, as a fraction, from which on the user is told.
NOISY = 0.1
#: Share of a time budget in which the schedules of several workloads are compared, and the seconds of each workload
#: where there is none.
COMPARE, COMPARE_SECONDS = 0.1, 5.0
#: Seconds that a node of a job waits for another one to leave its study: of a job that was killed, or of its node.
PATIENCE = 300.0
#: Minutes of a job whose search has no time budget.
LONG = 60


def tune(
    context: typer.Context,
    name: Name,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            help="Search until so many schedules were tried, in earlier runs too. The built-in ones count, and are "
            "always tried.",
            show_default=False,
        ),
    ] = None,
    time_budget: Annotated[
        str | None,
        typer.Option(
            "--time-budget",
            help="How long to search, the finals included: 60s, 5m. What cannot be shorter comes on top: about 20 s a "
            "workload for checks, built-in schedules and rounds. [default: the preset's, none with --trials]",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        Preset, typer.Option("--preset", "-p", help="How much effort: 2 minutes, 9 minutes, an hour.")
    ] = Preset.quick,
    sampler: Sampler = "tpe",
    regime: Regime = "warm",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Make the proposals of a new study repeatable.", show_default=False)
    ] = None,
    threads: Threads = None,
    images: Images = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            "--workload",
            "-w",
            help="Tune for this workload; may be repeated. [default: the usual ones]",
            show_default=False,
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            help="Keep studies in postgresql://user@host/database, for many nodes, or in sqlite:///file.",
            show_default=False,
        ),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write records to this directory.", show_default=False)
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Record what is found also where an earlier search was more rigorous.")
    ] = False,
    slurm: Slurm = False,
    partition: Partition = None,
    constraint: Constraint = None,
    nodes: Nodes = None,
    account: Account = None,
    time_limit: TimeLimit = None,
    sbatch: Sbatch = None,
    dry_run: DryRun = False,
    no_wait: NoWait = False,
    ledger: LedgerFile = None,
) -> None:
    """Search for the fastest schedule of a kernel on this machine and record it.

    Every candidate is checked bit for bit before it is timed. A run that is stopped goes on where it ended when it is
    started again. After several workloads the best schedules of each are timed on all, and the fewest that serve all of
    them are what is recorded. With --slurm all of this is done on nodes of a cluster.
    """  # fmt: skip
    from autosched.cli.samples import choose, load_images, sample, space_of
    from autosched.cli.written import HOW, tell
    from autosched.records import put, refuse_newer
    from autosched.shipped import user_directory
    from autosched.tune import PRESETS, Budget, Interrupted, Method, Task
    from autosched.tune import tune as search
    from autosched.tune.covering import finalists
    from autosched.tune.ledger import Found, Ledger
    from autosched.tune.place import checked
    from autosched.vlm.lookup import neighbours
    from autosched.vlm.registry import get

    seconds = duration(time_budget, "--time-budget") if time_budget is not None else None
    if trials is not None and trials < 1:
        raise ArgumentError(f"--trials is {trials}; it must be at least 1")
    if trials is None and seconds is None:
        seconds = PRESETS[preset.value].seconds
    if storage not in (None, "memory:"):
        checked(str(storage))
    method = Method(sampler, regime, PRESETS[preset.value], seed)
    count = thread_count(threads)
    if not slurm:
        refuse_cluster_options(context)
    family = get(name)
    file = space_of(family)
    specs = choose(file, workload or [], images)
    directory = out_dir or user_directory()
    if not dry_run:
        _writable(directory)
    if slurm:
        from autosched.cli.slurm import show, tune_there
        from autosched.cli.slurm_request import Request
        from autosched.slurm import Cluster
        from autosched.slurm.cluster import options

        if images is not None:
            load_images(images)  # what is wrong with them is better said now than by a job
        limit = None if time_limit is None else duration(time_limit, "--time-limit")
        cluster = Cluster(
            partition,
            tuple(constraint or ()),
            1 if nodes is None else nodes,
            account,
            _minutes(seconds, limit),
            options(sbatch or []),
        )
        request = Request(name, passed_on(context), cluster, storage, directory.resolve(), replace)
        if dry_run:
            show(request)
        else:
            tune_there(request, wait=not no_wait)
        return
    pipeline = family.pipeline()
    refuse_newer(pipeline.name, directory)
    if count > (cpus := os.cpu_count() or 1):
        warn(f"{count} threads will share {cpus} CPUs, and their times be uncertain; --threads {cpus} has one for each")
    searching = None if seconds is None else seconds * (1 - COMPARE * (len(specs) > 1))
    book = Ledger(ledger)
    found: list[tuple[Sampled, Found]] = []
    for i, spec in enumerate(specs):
        sampled = sample(family, spec, images)
        before = book.entry(spec.name)
        if before.found is not None:
            say(f"{name}, {spec.name}: done before")
            found.append((sampled, before.found))
            continue
        schedules = {label: make(sampled.bucket) for label, make in family.schedules.items()}
        seeds = neighbours(pipeline, sampled.bucket, count)
        task = Task(pipeline, file.space, sampled.workload, schedules, sampled.bucket, seeds)
        share = None if searching is None else searching / len(specs)
        budget = Budget(trials, share, before.seconds)
        title = f"{name}, bucket {sampled.bucket.name}, {sampled.workload.name}"
        place = f"[{i + 1}/{len(specs)}] " if len(specs) > 1 else ""
        try:
            # without the bucket: the line has room for all of it in a terminal of 80 characters
            with _Display(f"{place}{name}, {sampled.workload.name}", budget.trials, share) as display:
                report = _noted(display.update, book, spec.name)
                run = partial(search, task, budget, threads=count, report=report, method=method, storage=storage)
                result = _patiently(run, PATIENCE if ledger is not None else 0.0, f"{name}, {spec.name}")
        except Interrupted as stop:
            if ledger is not None:
                say(str(stop))  # the job says what comes next
                raise typer.Exit(130) from None
            only = f"-w {spec.name} " if len(specs) > 1 else ""
            complain(f"{stop}; the same command goes on from there, and with {only}--trials {max(stop.trials, 1)} it "
                     "records the best so far", 130)  # fmt: skip
            raise typer.Exit(130) from None
        search_of = result.record.search.model_copy(update={"kernel": family.name})
        record = result.record.model_copy(update={"search": search_of})
        (written,) = put([record], pipeline.name, directory, replace=replace)
        found.append((sampled, Found(record, finalists({sampled.workload.name: result}))))
        book.finish(spec.name, found[-1][1])
        _report(title, result, method.sampler)
        tell(written, [record], HOW * (len(specs) == 1))
    if len(found) > 1:
        left = COMPARE_SECONDS * len(found) if seconds is None else COMPARE * seconds / 2  # the rest is for preparing
        _compare(family, found, count, left, method.regime, directory, replace)


def _compare(
    family: KernelFamily,
    found: list[tuple[Sampled, Found]],
    threads: int,
    seconds: float,
    regime: RegimeName,
    directory: Path,
    replace: bool,
) -> None:
    """Time the best of each search on all workloads, and record the fewest that serve them all."""
    from autosched.cli.matrix import compare
    from autosched.cli.written import HOW, tell
    from autosched.records import put

    records: dict[str, list[Record]] = {}
    for sampled, one in found:
        records.setdefault(sampled.bucket.name, []).append(one.record)
    schedules = {label: schedule for _, one in found for label, schedule in one.schedules.items()}
    out().print(f"{family.name}, all workloads:")
    covered = compare(family, [sampled for sampled, _ in found], schedules, records, threads, seconds, regime)
    (written,) = put(covered, family.pipeline().name, directory, replace=replace)
    tell(written, covered, HOW)


def _minutes(seconds: float | None, limit: float | None) -> int:
    """The limit of a job: what was given, or enough for a search of so many seconds and what comes with it."""
    if limit is not None:
        return math.ceil(limit / 60)
    return LONG if seconds is None else math.ceil(1.5 * seconds / 60) + 15


def _noted(update: Callable[[Progress], None], book: Ledger, workload: str) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        update(progress)
        book.note(workload, progress.elapsed, progress.trials, progress.best_speedup)

    return report


def _patiently(search: Callable[[], Result], patience: float, what: str) -> Result:
    """The result of a search for `what`, begun again for so many seconds while another process works on its study."""
    from autosched.cli.samples import busy
    from autosched.tune.place import BusyError

    end = time.monotonic() + patience
    while True:
        try:
            return search()
        except BusyError:
            if time.monotonic() > end:
                raise BusyError(busy(what)) from None
            warn(f"{busy(what)}; waiting for it now")
            time.sleep(5.0)


def _writable(directory: Path) -> None:
    """Try it now: after the search would be too late."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise RecordError(
            f"records cannot be written to {directory}: {error.strerror or error}; choose another place with --out DIR"
        ) from None


class _Display:
    """A progress bar with the kernel, the workload and the best so far."""

    def __init__(self, title: str, trials: int | None, seconds: float | None) -> None:
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self.trials = trials
        self.seconds = seconds
        text, best = (TextColumn(t, markup=False) for t in ("{task.description}", "{task.fields[best]}"))
        self.bar = Bar(text, BarColumn(12), TimeElapsedColumn(), best, console=err())
        self.task = self.bar.add_task(title, total=1.0, best="checking")

    def __enter__(self) -> _Display:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def update(self, progress: Progress) -> None:
        """Show where the run is."""
        done = [0.0]
        if self.trials is not None:
            done.append(progress.trials / self.trials)
        if self.seconds is not None:
            done.append(progress.elapsed / self.seconds)
        best = "checking"
        if progress.stage != "check":
            doing = f"{progress.trials} schedules" if progress.stage == "search" else progress.stage
            best = f"{doing}, best {progress.best_ms:.3g} ms, {progress.best_speedup:.2f}x"
        self.bar.update(self.task, completed=min(max(done), 1.0), best=best)


def _report(title: str, result: Result, sampler: str) -> None:
    from collections import Counter

    from autosched.tune.study import SIMPLIFIED

    console = out()
    items = result.items
    kinds = Counter(t.outcome.kind for t in result.trials if not t.name.endswith(SIMPLIFIED))
    failed = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()) if kind not in ("ok", "slow", "duplicate"))
    timed = kinds["ok"] + kinds["slow"]
    counted = f"{timed} schedules timed" + (f" ({result.resumed} before)" if result.resumed else "")
    console.print(f"{title}: {counted}" + (f"; {failed}" if failed else "") + ("; the whole space" * result.exhausted))
    rows = table("schedule", "ms per item", "times the default's speed", "memory", numbers=3)
    for title, standing in zip(result.titles, result.final.standings, strict=True):
        best = " *" if standing is result.final.winner else ""
        ms, s = standing.seconds.scaled(1e3 / items), standing.speedup
        speed = f"{s.median:.2f} [{s.low:.2f}, {s.high:.2f}]"
        rows.add_row(title + best, f"{ms.median:.4g}", speed, amount(standing.memory))
    console.print(rows)
    if sampler == "nsga2":
        titles = {id(s): title for title, s in zip(result.titles, result.final.standings, strict=True)}
        traded = "; ".join(titles[id(standing)] for standing in result.final.trade_offs)
        console.print(f"no other is faster and needs less memory: {traded}", soft_wrap=True)
    tied = f"; {result.final.tied} cannot be told apart, the simplest is kept" if result.final.tied > 1 else ""
    console.print(f"noise {100 * result.final.noise:.1f} %, {result.final.rounds} rounds{tied}")
    if result.only_named and not result.exhausted:
        warn("the search was over before any schedule but the built-in ones, and those of records, was timed; give it "
             "more with --time-budget or --trials")  # fmt: skip
    if result.final.noise > NOISY:
        warn(f"this machine is busy: the default differs from itself by {100 * result.final.noise:.0f} %, and what is "
             "closer to it than that counts as equal; tune again when it is quiet")  # fmt: skip
    for complaint in result.machine.complaints(result.record.key.threads):
        warn(f"{complaint}; the times are less certain than they look")
