"""Waiting for the jobs of `autosched tune NAME --slurm`, merging what they have found, and saying what went wrong."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Sequence

import typer
from rich.text import Text

from autosched.cli.console import complain, err, out, say, warn
from autosched.cli.job import ledger_file, records_folder
from autosched.cli.slurm_request import Request
from autosched.cli.written import HOW, tell
from autosched.errors import RecordError
from autosched.records import Record, merge, put, read_strictly
from autosched.slurm import JobState, Submitted, Target, query
from autosched.threads import counted
from autosched.tune import ledger

#: Seconds between two looks at the jobs, at first and in the end.
SOON, LATE = 1.0, 10.0
#: Seconds that files of another node may take to be seen here.
SLOW_FILES = 30.0


def wait_for(request: Request, jobs: Sequence[Submitted]) -> dict[str, JobState]:
    """Until every job has ended, showing what each does; the states by label."""
    ended: dict[str, JobState] = {}
    last: dict[str, JobState] = {}
    pause, answers = SOON, True
    with err().status("") as status:
        while True:
            status.update(Text("\n".join(f"{job.target.label}: {_doing(request, job.target)}" for job in jobs)))
            open_ = [job for job in jobs if job.target.label not in ended]
            states = query(job.id for job in open_)
            if answers and states is None:
                say("Slurm does not answer at the moment; the jobs are waited for")
            answers = states is not None
            for job in open_ if states else ():
                label, state = job.target.label, (states or {})[job.id]
                if state != last.get(label):
                    say(f"{label}: job {job.id} {state}")
                    if state.stuck:
                        warn(f"job {job.id} will not start as it is ({state.reason}): `scancel {job.id}`, then give "
                             "this command with other options, or see to it with `scontrol`")  # fmt: skip
                elif state.ended or request.finished(job.target):
                    ended[label] = state  # seen twice: a job that a node has failed is requeued a moment later
                    if request.finished(job.target):
                        say(f"{label}: job {job.id} is done")
                last[label] = state
            if len(ended) == len(jobs):
                break
            time.sleep(pause)
            pause = min(pause * 1.2, LATE)
    return ended


def _doing(request: Request, target: Target) -> str:
    """How far the first node of a job is."""
    told: list[str] = []
    with contextlib.suppress(RecordError):
        told = [
            f"{name} {entry.trials} schedules, best {entry.speedup:.2f}x" + ", done" * (entry.found is not None)
            for name, entry in ledger.read(ledger_file(request.work(target), 0)).items()
        ]
    return "; ".join(told) or "nothing yet"


def collect(request: Request, jobs: Sequence[Submitted], ended: dict[str, JobState]) -> None:
    """Merge the records of jobs that are done, and say of the others why not."""
    known = request.known()
    failed: list[str] = []
    by_pipeline: dict[str, list[Record]] = {}
    for job in jobs:
        target = job.target
        if not _seen_finished(request, target, ended[target.label]):
            failed.append(_failure(request, job, ended[target.label]))
            continue
        classes = set()
        for file in sorted(records_folder(request.work(target)).rglob("*.json")):
            pipeline, records = read_strictly(file)
            by_pipeline.setdefault(pipeline, []).extend(records)
            classes |= {record.key.cpu.fingerprint().cpu_class for record in records}
            for record in records:
                _tell(target, record)
        if len(classes) > 1:
            warn(f"the nodes of {target.label} are not alike ({', '.join(sorted(classes))}), and tuned each class for "
                 "itself; a --constraint for each class tunes them together")  # fmt: skip
    for pipeline, group in sorted(by_pipeline.items()):
        for written in put(group, pipeline, request.destination, replace=request.replace):
            tell(written, merge(group), HOW)
    for job in jobs:
        if request.finished(job.target):
            known.pop(job.target.label, None)
            shutil.rmtree(request.work(job.target), ignore_errors=True)
    request.remember(known)
    for message in failed:
        complain(message)
    if failed:
        raise typer.Exit(1)


def _seen_finished(request: Request, target: Target, state: JobState) -> bool:
    """Whether a job is done; the marks of another node may be seen a little later than the end of the job."""
    end = time.monotonic() + (SLOW_FILES if state.name == "COMPLETED" else 0.0)
    while not request.finished(target) and time.monotonic() < end:
        time.sleep(0.5)
    return request.finished(target)


def _tell(target: Target, record: Record) -> None:
    s, key = record.times.speedup, record.key
    out().print(
        f"{target.label}: bucket {key.bucket.name}, {counted(key.threads)} on "
        f"{key.cpu.fingerprint().cpu_class}: {s.median:.2f} [{s.low:.2f}, {s.high:.2f}] times the default's speed, "
        f"{record.search.trials} schedules, noise {100 * record.times.noise:.1f} %",
        soft_wrap=True,
        markup=False,
    )


def _failure(request: Request, job: Submitted, state: JobState) -> str:
    """Why a job has no result, as far as its log says."""
    said = ""
    logs = sorted(request.logs(job.target).glob(f"{job.id}_*_log.err"))
    for log in logs:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if "error:" in line]
        ours = [line for line in lines if line.startswith("error:")]
        said = said or next(iter((ours or lines)[-1:]), "")
    where = str(job.log) if logs else f"{job.log} (which is not there: see that all nodes have this file system)"
    kept = "what was measured is kept, and the same command goes on from there"
    if state.name == "CANCELLED" and not said.startswith("error:"):
        said = ""
    return (
        f"{job.target.label}: job {job.id} ended as {state.name}{': ' * bool(said)}{said}; its log is {where}; {kept}"
    )
