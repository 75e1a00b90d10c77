"""The searches of `autosched tune`: one a workload, and the comparison of what they found on all of them."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import typer
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from autosched.cli.console import amount, complain, err, out, say, table, warn
from autosched.cli.matrix import compare
from autosched.cli.samples import Sampled, busy, sample
from autosched.cli.written import HOW, tell
from autosched.records import Record, put, refuse_newer
from autosched.tune import Budget, Interrupted, Method, Progress, Result, SpaceFile, Task, WorkloadSpec, tune
from autosched.tune.covering import finalists
from autosched.tune.ledger import Found, Ledger
from autosched.tune.place import BusyError
from autosched.tune.study import SIMPLIFIED
from autosched.vlm.lookup import neighbours
from autosched.vlm.registry import KernelFamily

#: Noise, as a fraction, from which on the user is told.
NOISY = 0.1
#: Share of a time budget in which the schedules of several workloads are compared, and the seconds of each workload
#: where there is none.
COMPARE, COMPARE_SECONDS = 0.1, 5.0
#: Seconds that a node of a job waits for another one to leave its study: of a job that was killed, or of its node.
PATIENCE = 300.0


@dataclass(frozen=True)
class TuneRequest:
    """A command line that was checked.

    `trials` are of each workload and `seconds` of all together. `images` are those of a directory, used in place of the
    samples of the one workload. `directory` takes the records, `storage` is the URL of the studies, and `ledger` the
    file in which a job keeps how far it is.
    """

    family: KernelFamily
    file: SpaceFile
    workloads: Sequence[WorkloadSpec]
    images: Path | None
    trials: int | None
    seconds: float | None
    method: Method
    threads: int
    storage: str | None
    directory: Path
    replace: bool
    ledger: Path | None

    @property
    def several(self) -> bool:
        """Whether there is more than one workload, so that their schedules are compared in the end."""
        return len(self.workloads) > 1

    @property
    def share(self) -> float | None:
        """Seconds of each search; None where time does not end it."""
        if self.seconds is None:
            return None
        return self.seconds * (1 - COMPARE * self.several) / len(self.workloads)


def search_all(request: TuneRequest) -> list[Record]:
    """Search for the best schedule of each workload and record it, then the fewest schedules that serve them all.

    The records are those of the searches, a workload each.
    """
    family, threads = request.family, request.threads
    pipeline = family.pipeline()
    refuse_newer(pipeline.name, request.directory)
    if threads > (cpus := os.cpu_count() or 1):
        warn(
            f"{threads} threads will share {cpus} CPUs, and their times be uncertain; --threads {cpus} has one for each"
        )
    ledger = Ledger(request.ledger)
    ended: list[tuple[Sampled, Found]] = []
    for i, spec in enumerate(request.workloads):
        sampled = sample(family, spec, request.images)
        before = ledger.entry(spec.name)
        if before.found is not None:
            say(f"{family.name}, {spec.name}: done before")
            ended.append((sampled, before.found))
            continue
        place = f"[{i + 1}/{len(request.workloads)}] " if request.several else ""
        result = _search(request, spec, sampled, ledger, place)
        search = result.record.search.model_copy(update={"kernel": family.name})
        record = result.record.model_copy(update={"search": search})
        (written,) = put([record], pipeline.name, request.directory, replace=request.replace)
        ended.append((sampled, Found(record, finalists({sampled.workload.name: result}))))
        ledger.finish(spec.name, ended[-1][1])
        title = f"{family.name}, bucket {sampled.bucket.name}, {sampled.workload.name}"
        _report(title, result, request.method.sampler)
        tell(written, [record], HOW * (not request.several))
    if len(ended) > 1:
        _compare(request, ended)
    return [found.record for _, found in ended]


def _search(request: TuneRequest, spec: WorkloadSpec, sampled: Sampled, ledger: Ledger, place: str) -> Result:
    """The search of a workload, `place` says which of several. Exits where the user ends it."""
    family, threads = request.family, request.threads
    schedules = {label: make(sampled.bucket) for label, make in family.schedules.items()}
    seeds = neighbours(family.pipeline(), sampled.bucket, threads)
    task = Task(family.pipeline(), request.file.space, sampled.workload, schedules, sampled.bucket, seeds)
    budget = Budget(request.trials, request.share, ledger.entry(spec.name).seconds)
    in_a_job = request.ledger is not None
    try:
        # without the bucket: the line has room for all of it in a terminal of 80 characters
        with _Display(f"{place}{family.name}, {sampled.workload.name}", budget.trials, request.share) as display:
            report = _noted(display.update, ledger, spec.name)
            search = partial(
                tune, task, budget, threads=threads, report=report, method=request.method, storage=request.storage
            )
            return _patiently(search, PATIENCE if in_a_job else 0.0, f"{family.name}, {spec.name}")
    except Interrupted as stop:
        if in_a_job:
            say(str(stop))  # the job says what comes next
            raise typer.Exit(130) from None
        only = f"-w {spec.name} " if request.several else ""
        complain(f"{stop}; the same command goes on from there, and with {only}--trials {max(stop.trials, 1)} it "
                 "records the best so far", 130)  # fmt: skip
        raise typer.Exit(130) from None


def _compare(request: TuneRequest, ended: Sequence[tuple[Sampled, Found]]) -> None:
    """Time the best of each search on all workloads, and record the fewest that serve them all."""
    family, method = request.family, request.method
    records: dict[str, list[Record]] = {}
    for sampled, found in ended:
        records.setdefault(sampled.bucket.name, []).append(found.record)
    schedules = {label: schedule for _, found in ended for label, schedule in found.schedules.items()}
    seconds = COMPARE_SECONDS * len(ended)
    if request.seconds is not None:
        seconds = COMPARE * request.seconds / 2  # the rest is for preparing
    out().print(f"{family.name}, all workloads:")
    workloads = [sampled for sampled, _ in ended]
    covered = compare(family, workloads, schedules, records, request.threads, seconds, method.regime)
    (written,) = put(covered, family.pipeline().name, request.directory, replace=request.replace)
    tell(written, covered, HOW)


def _noted(update: Callable[[Progress], None], ledger: Ledger, workload: str) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        update(progress)
        ledger.note(workload, progress.elapsed, progress.trials, progress.best_speedup)

    return report


def _patiently(search: Callable[[], Result], patience: float, what: str) -> Result:
    """The result of a search for `what`, begun again for so many seconds while another process works on its study."""
    end = time.monotonic() + patience
    while True:
        try:
            return search()
        except BusyError:
            if time.monotonic() > end:
                raise BusyError(busy(what)) from None
            warn(f"{busy(what)}; waiting for it now")
            time.sleep(5.0)


class _Display:
    """A progress bar with the kernel, the workload and the best so far."""

    def __init__(self, title: str, trials: int | None, seconds: float | None) -> None:
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
    for complaint in result.machine.complaints():
        warn(f"{complaint}; the times are less certain than they look")
