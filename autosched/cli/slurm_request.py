"""What is asked of a cluster by `autosched tune NAME --slurm`, and where what belongs to it is kept."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from autosched.cli.job import TuneJob
from autosched.errors import ArgumentError
from autosched.files import write_whole
from autosched.slurm import Cluster, Submitted, Target
from autosched.slurm.requeue import mark
from autosched.slurm.submission import log_file
from autosched.tune.place import checked, state_directory


@dataclass(frozen=True)
class Request:
    """A run on a cluster: the kernel's name for files, the command line of each node, the nodes, and where records go.

    `replace` is whether these take the place of more rigorous ones there.
    """

    name: str
    arguments: tuple[str, ...]
    cluster: Cluster
    storage: str | None
    destination: Path
    replace: bool = False

    def __post_init__(self) -> None:
        url = None if self.storage is None else checked(self.storage)
        shared = url is not None and url.drivername.startswith("postgresql")
        if self.cluster.nodes > 1 and not shared:
            raise ArgumentError(
                f"--nodes {self.cluster.nodes} needs a study that all nodes can use: --storage "
                "postgresql://user@host/database"
            )
        if url is not None and not shared and len(self.cluster.constraints) > 1:
            raise ArgumentError("several jobs cannot use one SQLite file; give --storage postgresql://..., or none")

    @property
    def folder(self) -> Path:
        """The folder of this command: its jobs, their logs and what they have found so far."""
        told = (self.arguments, self.cluster.constraints, self.cluster.nodes)
        return root() / f"{self.name}-{hashlib.sha256(repr(told).encode()).hexdigest()[:8]}"

    @property
    def remark(self) -> str:
        """The command of each node, without passwords."""
        words = list(self.arguments)
        if self.storage is not None:
            words[words.index(self.storage)] = checked(self.storage).set(drivername="postgresql").render_as_string()
        return "on each node: " + shlex.join(["autosched", *words]).replace("\n", " ")

    def logs(self, target: Target) -> Path:
        return self.folder / target.label

    def work(self, target: Target) -> Path:
        """What a job has done; gone when its records are merged."""
        return self.logs(target) / "work"

    def job(self, target: Target) -> TuneJob:
        return TuneJob(self.arguments, self.work(target), root() / "state")

    def finished(self, target: Target) -> bool:
        """Whether every node of the job has nothing left to do."""
        return all(mark(self.work(target), rank).exists() for rank in range(self.cluster.nodes))

    @property
    def lock(self) -> FileLock:
        """Held while jobs are submitted or collected: the command may run twice."""
        return FileLock(self.folder / ".lock")

    def known(self) -> dict[str, Submitted]:
        """The jobs that earlier runs of this command have submitted and not collected, by label."""
        try:
            data = json.loads((self.folder / "jobs.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        targets = {target.label: target for target in self.cluster.targets()}
        return {
            label: Submitted(targets[label], id_, log_file(self.logs(targets[label]), id_))
            for label, id_ in data.items()
            if label in targets
        }

    def remember(self, jobs: Mapping[str, Submitted]) -> None:
        """Keep which jobs there are."""
        text = json.dumps({label: job.id for label, job in jobs.items()})
        write_whole(self.folder / "jobs.json", text.encode(), durable=True)


def root() -> Path:
    """Where jobs and their studies are, on a file system that all nodes have."""
    return state_directory().absolute().parent / "slurm"
