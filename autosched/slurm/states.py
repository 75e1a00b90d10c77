"""States of jobs and features of nodes: what squeue, sacct and sinfo say.

One question to squeue for all jobs, and sacct for those that it has forgotten.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass

#: A job in one of these will not run again by itself.
ENDED = {
    "COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "BOOT_FAIL", "DEADLINE", "PREEMPTED",
    "REVOKED", "GONE",
}  # fmt: skip
#: Reasons to wait that do not go away by themselves.
_STUCK = ("PartitionTimeLimit", "PartitionNodeLimit", "PartitionDown", "BadConstraints", "held", "Held", "NotAllowed")
#: Seconds that squeue may take.
PATIENCE = 30.0


@dataclass(frozen=True)
class JobState:
    """A job now: Slurm's name of its state, why it waits, and where it runs. GONE where Slurm knows nothing of it."""

    name: str
    reason: str = ""
    nodes: str = ""

    @property
    def ended(self) -> bool:
        """Whether it will not run again by itself."""
        return self.name in ENDED

    @property
    def stuck(self) -> bool:
        """Whether it will not start unless something is done."""
        return self.name == "PENDING" and any(word in self.reason for word in _STUCK)

    def __str__(self) -> str:
        where = f" on {self.nodes}" if self.nodes and not self.ended else ""
        why = f" ({self.reason})" if self.name == "PENDING" and self.reason not in ("", "None") else ""
        return self.name + why + where


def query(ids: Iterable[str]) -> dict[str, JobState] | None:
    """The states of jobs by number; None where Slurm does not answer at the moment."""
    wanted = list(ids)
    said = _said(["squeue", "--noheader", "--states=all", "-o", "%i|%T|%r|%N", "-j", ",".join(wanted)])
    if said is None:
        return None
    rows = [line.split("|") for line in said.splitlines() if line.count("|") == 3]
    found = {id_: JobState(*rest) for id_, *rest in rows}
    return {id_: found.get(id_) or _accounted(id_) for id_ in wanted}


def features(partition: str | None) -> tuple[str, ...]:
    """The different sets of features that nodes of a partition have (None: of the default one)."""
    said = _said(["sinfo", "--noheader", "-o", "%P|%f", *(["-p", partition] if partition else [])]) or ""
    rows = [line.strip().split("|") for line in said.splitlines() if "|" in line]
    return tuple(sorted({found for name, found in rows if partition or name.endswith("*")}))


def _accounted(id_: str) -> JobState:
    """The state, by the accounting, of a job that the controller has forgotten; many clusters keep none."""
    said = None
    if shutil.which("sacct") is not None:
        said = _said(["sacct", "--noheader", "--parsable2", "--allocations", "-o", "State", "-j", id_])
    words = (said or "").split()
    return JobState(words[0] if words else "GONE")


def _said(command: list[str]) -> str | None:
    """The output of a command; nothing where there is no such job, None where it failed otherwise."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return "" if "Invalid job id" in done.stderr else None
    return done.stdout
