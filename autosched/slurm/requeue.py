"""What a job does when Slurm wants its nodes back: it comes to an end by itself, and goes back into the queue.

Slurm sends SIGUSR2 some time before the time limit, and SIGTERM when a job is preempted or cancelled. Both arrive as
Ctrl-C does. Work that ends for that reason is requeued, unless the job is being cancelled. What Slurm kills without a
signal (a node that fails) it requeues itself.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autosched.signals import ENDINGS
from autosched.slurm.states import query

#: The status of work that a signal has ended.
INTERRUPTED = 130


def requeued(work: Callable[[], int], folder: Path) -> int:
    """Run `work` in each task of a job; its status, and 0 for a task of several that was told to end.

    A task that has finished leaves a mark in `folder`, which all nodes see. The first task does not return where the
    job is requeued, which ends the others too.
    """
    to_queue = signal.getsignal(signal.SIGUSR2)  # submitit's: saves the job as it is, and requeues it
    for number in ENDINGS:
        signal.signal(number, signal.default_int_handler)
    try:
        status = work()
    except KeyboardInterrupt:
        status = INTERRUPTED
    finally:
        for number in ENDINGS:  # also for what is started from here on
            signal.signal(number, signal.SIG_IGN)
    if status == 0:
        mark(folder, _rank()).touch()
    elif status == INTERRUPTED and _wanted():
        _requeue(to_queue, folder)
        return 0
    return status


def mark(folder: Path, rank: int) -> Path:
    """The file that a task leaves when it has finished."""
    return folder / f"finished-{rank}"


def _rank() -> int:
    return int(os.environ.get("SLURM_PROCID", "0"))


def _wanted() -> bool:
    """Whether the job is to run again: one that is being cancelled is past running, one that is preempted is not."""
    id_ = os.environ.get("SLURM_JOB_ID", "")
    states = query([id_]) if id_ else {}
    return states is None or (id_ in states and states[id_].name in ("RUNNING", "SIGNALING", "SUSPENDED"))


def _requeue(to_queue: Any, folder: Path) -> None:
    """Requeue the job, for all of its tasks: the first one does it, or the next where that has finished."""
    if _rank() == 0:
        if callable(to_queue):
            to_queue(signal.SIGUSR2, None)  # ends the process
    elif all(mark(folder, rank).exists() for rank in range(_rank())):
        subprocess.run(["scontrol", "requeue", os.environ["SLURM_JOB_ID"]], check=True, timeout=60)
