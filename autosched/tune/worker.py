"""The worker process: a LocalBench at the other end of a pipe. Candidates that crash, hang or eat memory end it alone.

Started by `isolated.py` with a directory that holds the job. What it says over the pipe: (phase, name) when a limit of
time begins anew, (round, n) after each round, and one (done, value), (candidate, kind, message, place) or (failed,
message) for each request. Which of several candidates runs is in a byte of a shared file, where it outlives a crash.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from autosched.errors import AutoschedError
from autosched.schedule import Schedule
from autosched.tune.bench import Job, LocalBench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.footprint import limit_growth
from autosched.tune.measure import Race
from autosched.tune.transport import load, packed, save, unpacked

#: Files of the directory that parent and worker share.
JOB, CHECKS, STDERR, RUNNING = "job", "checks", "stderr", "running"
_PR_SET_PDEATHSIG = 1


def main(descriptor: int, directory: str, parent: int, memory: int, cpus: tuple[int, ...]) -> None:
    """Serve requests until the pipe is closed, on `cpus` (all where empty). `parent` is the process that asks."""
    _end_with(parent)
    if cpus:
        os.sched_setaffinity(0, cpus)
    connection = Connection(descriptor)
    worker = _Worker(connection, Path(directory))
    worker.answer(worker.start)
    limit_growth(memory)
    while True:
        try:
            name, arguments = unpacked(connection.recv_bytes())
        except EOFError:
            return
        worker.answer(getattr(worker, name), *arguments)


def _end_with(parent: int) -> None:
    """Be killed when the parent dies, however that happens."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


class _Worker:
    """Requests by name."""

    def __init__(self, connection: Connection, directory: Path) -> None:
        self.connection = connection
        self.directory = directory
        self.job: Job = load(directory / JOB)
        running = mmap.mmap(os.open(directory / RUNNING, os.O_RDWR), 1)
        self.bench = LocalBench(
            self.job,
            phase=lambda phase: self.say("phase", phase),
            entering=lambda place: running.__setitem__(0, place),
        )

    def say(self, *message: Any) -> None:
        self.connection.send_bytes(packed(message))

    def answer(self, request: Callable[..., Any], *arguments: Any) -> None:
        try:
            self.say("done", request(*arguments))
        except CandidateError as error:
            self.say("candidate", error.kind, str(error), error.entered)
        except AutoschedError as error:
            self.say("failed", str(error))

    def start(self) -> tuple[Ready, float]:
        """The default, and how long its checks and one run take."""
        checks = self.directory / CHECKS
        if checks.exists():
            ready = self.bench.start_with(load(checks))
        else:
            ready = self.bench.start()
            save(self.bench.checks, checks)
        begin = time.monotonic()
        self.bench.prepare(self.job.default)
        return ready, time.monotonic() - begin

    def prepare(self, schedule: Schedule) -> Ready:
        return self.bench.prepare(schedule)

    def seconds(self, ready: Ready) -> float:
        return self.bench.seconds(ready)

    def race(self, candidate: Ready, rival: Ready, seconds: float, least: int) -> Race:
        return self.bench.race(candidate, rival, seconds=seconds, least=least)

    def rounds(self, entered: list[Ready], seconds: float, least: int, most: int) -> list[list[float]]:
        return self.bench.rounds(
            entered, seconds=seconds, least=least, most=most, progress=lambda n: self.say("round", n)
        )

    def keep(self, wanted: list[Ready]) -> None:
        self.bench.keep(wanted)
