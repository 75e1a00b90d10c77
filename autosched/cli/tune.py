"""`autosched tune NAME`: search for the fastest schedule on this machine and record it."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from autosched.cli.emit import emit, of_record
from autosched.cli.options import (
    Account,
    Constraint,
    DryRun,
    Images,
    Json,
    LedgerFile,
    Name,
    Nodes,
    NoWait,
    Partition,
    Preset,
    Regime,
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
    json: Json = False,
) -> None:
    """Search for the fastest schedule of a kernel on this machine and record it.

    Every candidate is checked bit for bit before it is timed. A run that is stopped goes on where it ended when it is
    started again. After several workloads the best schedules of each are timed on all, and the fewest that serve all of
    them are what is recorded. With --slurm all of this is done on nodes of a cluster.
    """  # fmt: skip
    from autosched.cli.samples import choose, space_of
    from autosched.cli.searches import TuneRequest, search_all
    from autosched.runtime.cpu import fingerprint
    from autosched.shipped import file_name, file_stem, user_directory
    from autosched.tune import PRESETS, Method
    from autosched.tune.place import checked
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
    elif json:
        raise ArgumentError("--json is for searches on this machine; leave it out, or leave out --slurm")
    family = get(name)
    file = space_of(family)
    request = TuneRequest(
        family=family,
        file=file,
        workloads=choose(file, workload or [], images),
        images=images,
        trials=trials,
        seconds=seconds,
        method=method,
        threads=count,
        storage=storage,
        directory=out_dir or user_directory(),
        replace=replace,
        ledger=ledger,
    )
    if not dry_run:
        _writable(request.directory)
    if not slurm:
        records = search_all(request)
        if json:
            path = request.directory / fingerprint().cpu_class / file_name(family.pipeline().name)
            emit("tune", kernel=name, path=path, searches=[of_record(record) for record in records])
        return
    from autosched.cli.image_folder import ImageFolder
    from autosched.cli.slurm import show, tune_there
    from autosched.cli.slurm_request import Request
    from autosched.slurm import Cluster
    from autosched.slurm.cluster import options

    if images is not None:
        ImageFolder.read(images).load()  # what is wrong with them is better said now than by a job
    limit = None if time_limit is None else duration(time_limit, "--time-limit")
    cluster = Cluster(
        partition,
        tuple(constraint or ()),
        1 if nodes is None else nodes,
        account,
        _minutes(seconds, limit),
        options(sbatch or []),
    )
    job = Request(file_stem(name), passed_on(context), cluster, storage, request.directory.resolve(), replace)
    if dry_run:
        show(job)
    else:
        tune_there(job, wait=not no_wait)


def _minutes(seconds: float | None, limit: float | None) -> int:
    """The limit of a job: what was given, or enough for a search of so many seconds and what comes with it."""
    if limit is not None:
        return math.ceil(limit / 60)
    return LONG if seconds is None else math.ceil(1.5 * seconds / 60) + 15


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
