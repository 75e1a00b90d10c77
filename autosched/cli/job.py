"""What a job under Slurm runs on its node: `autosched tune` with the options that were given, and where it ended."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autosched.slurm.requeue import requeued


@dataclass(frozen=True)
class TuneJob:
    """A run of `autosched tune`; each node of the job does one. Picklable.

    `folder` takes the records and what the run has done so far; `state` is the directory of studies.
    """

    arguments: tuple[str, ...]
    folder: Path
    state: Path

    def __call__(self) -> None:
        """Tune until done, or until Slurm wants the node back."""
        status = requeued(self._tune, self.folder)
        if status:
            sys.exit(status)

    def checkpoint(self) -> Any:
        """What submitit runs when the job is requeued: the same, which goes on by itself."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _tune(self) -> int:
        from autosched.cli.main import run
        from autosched.runtime.cpu import fingerprint

        # Two machines must never have one SQLite file open, and those of one class take turns by a lock.
        os.environ["AUTOSCHED_STATE_DIR"] = str(self.state / fingerprint().cpu_class)
        ledger = ledger_file(self.folder, int(os.environ.get("SLURM_PROCID", "0")))
        return run([*self.arguments, "--out", str(records_folder(self.folder)), "--ledger", str(ledger)])


def records_folder(folder: Path) -> Path:
    """Where the nodes of a job write their records."""
    return folder / "tuned"


def ledger_file(folder: Path, rank: int) -> Path:
    """Where a node of a job writes what it has done."""
    return folder / f"ledger-{rank}.json"
