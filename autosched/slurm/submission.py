"""Submitting through submitit: the script of a job, whether Slurm would take it, and giving it to Slurm."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from autosched.errors import ClusterError
from autosched.slurm.cluster import Cluster, Target

if TYPE_CHECKING:
    from submitit import SlurmExecutor

#: Seconds before the time limit at which a job is told to stop. A trial may take 60, and Slurm looks once a minute.
NOTICE = 150
#: How often a job is requeued that has run into its time limit.
TIMEOUTS = 50
#: Seconds that a command of Slurm may take.
PATIENCE = 60.0


@dataclass(frozen=True)
class Submitted:
    """A job that Slurm has: its number and the file with what it prints."""

    target: Target
    id: str
    log: Path


def script(cluster: Cluster, target: Target, name: str, folder: Path, remark: str) -> str:
    """The text of the script of a job; `remark` says in it what the job does. Slurm is not needed."""
    executor = _executor(cluster, target, name, folder, remark)
    return executor._make_submission_file_text(executor._submitit_command_str, "")


def verify(cluster: Cluster, target: Target, name: str, folder: Path, remark: str) -> None:
    """Ask Slurm whether it would take the job, without submitting it. Raises ClusterError."""
    if shutil.which("sbatch") is None:
        raise ClusterError(
            "sbatch was not found: run this on a login node of a Slurm cluster, perhaps after `module load slurm`; "
            "--dry-run shows the job anywhere"
        )
    text = script(cluster, target, name, folder, remark)
    try:
        asked = subprocess.run(
            ["sbatch", "--test-only"], input=text, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(f"Slurm does not answer for {PATIENCE:.0f} s; see `sinfo`, then try again") from None
    if asked.returncode:
        raise ClusterError(_refusal(asked.stderr, cluster, target))


def submit(
    cluster: Cluster, target: Target, name: str, folder: Path, remark: str, job: Callable[[], object]
) -> Submitted:
    """Give `job` to Slurm, which must be importable on the node. Its files are in `folder`. Raises ClusterError."""
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    folder.mkdir(parents=True, exist_ok=True)
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):  # submitit prints what sbatch said, and raises it too
            made = _executor(cluster, target, name, folder, remark).submit(job)
    except (FailedJobError, FailedSubmissionError) as error:
        raise ClusterError(_refusal(said.getvalue() or str(error), cluster, target)) from None
    return Submitted(target, made.job_id, log_file(folder, made.job_id))


def log_file(folder: Path, id_: str, task: int | str = 0) -> Path:
    """The file with what a task of a job prints, results apart."""
    return folder / f"{id_}_{task}_log.err"


def _executor(cluster: Cluster, target: Target, name: str, folder: Path, remark: str) -> SlurmExecutor:
    if find_spec("submitit") is None:
        raise ClusterError("jobs under Slurm need submitit; install it: pip install 'autosched[slurm]'")
    import submitit

    class Executor(submitit.SlurmExecutor):
        @classmethod
        def affinity(cls) -> int:
            """Also where there is no Slurm, to show the script."""
            return 2

        @classmethod
        def name(cls) -> str:
            return "slurm"

    executor = Executor(folder, max_num_timeout=TIMEOUTS)
    executor.update_parameters(
        job_name=f"autosched-{name}",
        partition=cluster.partition,
        constraint=target.constraint,
        account=cluster.account,
        nodes=cluster.nodes,
        ntasks_per_node=1,
        exclusive=True,
        mem="0",  # all of the node's: an exclusive node may come with the memory of one CPU
        time=cluster.minutes,
        signal_delay_s=NOTICE,
        wckey=None,
        # The one task of a node may run on all of its CPUs, for the search itself chooses among them; and what becomes
        # of it, and when, is of no concern to those of other nodes.
        srun_args=["--cpu-bind=none", "--kill-on-bad-exit=0", "--wait=0"],
        setup=[f"# {remark}"],
        additional_parameters={"requeue": True, **cluster.extra},
    )
    return executor


def _refusal(said: str, cluster: Cluster, target: Target) -> str:
    """Slurm's reason in one line, and what to do about it."""
    lines = [re.sub(r"^sbatch: (error|fatal): ", "", line) for line in said.splitlines() if line.strip()]
    reason = "; ".join(lines) or "no reason given"
    low = reason.lower()
    if "partition" in low:
        way_out = "`sinfo -s` lists the partitions"
    elif "feature" in low or "node configuration" in low:
        way_out = "`sinfo -o '%P %D %c %f'` lists nodes, CPUs and features of each partition"
    elif "account" in low or "qos" in low:
        way_out = "give yours with --account, or --sbatch qos=NAME; `sacctmgr show assoc user=$USER` lists them"
    elif "time limit" in low:
        way_out = "give a shorter --time-limit; `sinfo -o '%P %l'` lists the longest"
    elif "contact" in low or "configuration source" in low or "dns srv" in low:
        way_out = "see with `sinfo` that Slurm works here"
    else:
        way_out = "--dry-run shows the job script"
    what = f"constraint {target.constraint}" if target.constraint else "no constraint"
    return f"Slurm refuses the job for {cluster.where()}, {what}: {reason}; {way_out}"
