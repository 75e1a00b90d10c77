"""`autosched tune NAME --slurm`: a job for each class of CPUs; what is there already is not submitted again.

The same command finds its jobs by its folder: it waits for those that are there, collects what has ended, and submits
anew what has failed, which goes on where it was. `slurm_results.py` waits and collects.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import typer

from autosched.cli.console import complain, out, say, warn
from autosched.cli.slurm_request import Request
from autosched.cli.slurm_results import collect, wait_for
from autosched.errors import ClusterError
from autosched.slurm import Submitted, Target, features, query, script, submit, verify
from autosched.tune.place import unreachable


def show(request: Request) -> None:
    """Print the script of each job; nothing is submitted."""
    for target in request.cluster.targets():
        text = script(request.cluster, target, request.name, request.logs(target), request.remark)
        out().print(text, soft_wrap=True, markup=False, highlight=False)


def tune_there(request: Request, *, wait: bool) -> None:
    """Submit what is not there yet, wait for it and merge the records. Raises ClusterError, and typer.Exit."""
    request.folder.mkdir(parents=True, exist_ok=True)
    request.folder.chmod(0o700)  # arguments may hold the password of a database
    with request.lock:
        jobs = _jobs(request)
    if not wait:
        say(_left(jobs))
        return
    try:
        ended = wait_for(request, jobs)
    except KeyboardInterrupt:
        complain(f"not waiting any more: {_left(jobs)}", 130)
        raise typer.Exit(130) from None
    with request.lock:
        collect(request, jobs, ended)


def _left(jobs: Sequence[Submitted]) -> str:
    ids = ",".join(job.id for job in jobs)
    one = len(jobs) == 1
    what, them, their = (f"job {ids} goes on", "it", "its") if one else (f"jobs {ids} go on", "them", "their")
    return (
        f"{what}: `squeue -j {ids}` shows {them}, `scancel {ids}` ends {them}, and this command, given again, waits "
        f"for {them} and merges {their} records"
    )


def _jobs(request: Request) -> list[Submitted]:
    """The jobs of this command: those that Slurm has, and new ones for the rest."""
    known = request.known()
    states = query(job.id for job in known.values()) if known else {}
    if states is None:
        raise ClusterError("Slurm does not answer, so what became of this command's jobs is not known; see `sinfo`")
    missing: list[Target] = []
    jobs: dict[str, Submitted] = {}
    for target in request.cluster.targets():
        job = known.get(target.label)
        if job is not None and (request.finished(target) or not states[job.id].ended):
            jobs[target.label] = job
            say(f"{target.label}: job {job.id} is there already")
        else:
            missing.append(target)
    if missing:
        _hint(request)
    for target in missing:
        verify(request.cluster, target, request.name, request.logs(target), request.remark)
    for target in missing:
        resumed = target.label in known
        if not resumed:
            shutil.rmtree(request.work(target), ignore_errors=True)
        request.work(target).mkdir(parents=True, exist_ok=True)
        job = submit(request.cluster, target, request.name, request.logs(target), request.remark, request.job(target))
        jobs[target.label] = job
        request.remember({**known, **jobs})
        goes_on = ", which goes on where the one before ended" if resumed else ""
        say(f"{target.label}: job {job.id} submitted{goes_on}; its log is {job.log}")
    return [jobs[target.label] for target in request.cluster.targets()]


def _hint(request: Request) -> None:
    """Say what may go wrong on the nodes and can be seen from here."""
    kinds = () if request.cluster.constraints else features(request.cluster.partition)
    if len(kinds) > 1:
        warn(f"the nodes differ in their features ({'; '.join(kinds)}), and the job runs on any of them; "
             "--constraint FEATURE, given once for each class of CPUs, tunes for all of them")  # fmt: skip
    if request.storage is not None and (why := unreachable(request.storage)):
        warn(f"{why}; where the nodes cannot reach it either, the jobs will fail")
