"""A Bench in a worker process: what crashes, hangs or eats memory there costs one candidate.

The worker is started anew when it is needed again; compiled kernels come from the cache on disk, checks and inputs from
a directory that lives as long as the bench. Nothing is forked: the worker begins with a clean interpreter, and never
imports the caller's program.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import psutil

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.signals import ENDINGS
from autosched.tune.bench import Job, Ready
from autosched.tune.candidate import CandidateError, Kind
from autosched.tune.footprint import available
from autosched.tune.machine import cpus_to_pin
from autosched.tune.measure import Race
from autosched.tune.transport import packed, save, unpacked
from autosched.tune.worker import JOB, RUNNING, STDERR

#: How the names of temporary directories begin; then comes the process that they belong to.
_PREFIX = "autosched-tune-"
_PROGRAM = "import sys; sys.path[:] = {path!r}; from autosched.tune.worker import main; main({arguments})"
#: What a process prints that ran out of memory in a library that cannot say so otherwise.
_NO_MEMORY = ("out of memory", "bad_alloc", "Cannot allocate memory")


@dataclass(frozen=True)
class Limits:
    """What a candidate may take: seconds to compile, seconds to check or run (None: 20 times what the default takes,
    at least 10), and bytes of memory beyond what the worker holds before (None: half of what is free at the start).
    """

    compile: float = 60.0
    run: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("compile", self.compile), ("run", self.run), ("memory", self.memory)):
            if value is not None and not value > 0:
                raise TuneError(f"the limit of {name} is {value}; it must be more than 0")


#: Seconds that the default may take to be checked, which includes the interpreter and a first compilation.
_START = 600.0


class IsolatedBench:
    """See Bench. Owns a worker process and a temporary directory; `close` ends both."""

    def __init__(self, job: Job, limits: Limits = Limits()) -> None:
        self.job = job
        self.limits = limits
        self.run_limit = _START
        self.memory = limits.memory or max(available() // 2, 1 << 28)
        self.started = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._progress: Callable[[int], None] = lambda _: None
        _sweep()
        self._folder = tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-")
        self.directory = Path(self._folder.name)
        (self.directory / RUNNING).write_bytes(b"\0")
        save(job.portable(), self.directory / JOB)

    def start(self) -> Ready:
        """See Bench."""
        return self._start()

    def prepare(self, schedule: Schedule) -> Ready:
        """See Bench."""
        made: Ready = self._ask(0.0, "prepare", schedule)
        return made

    def seconds(self, ready: Ready) -> float:
        """See Bench."""
        return float(self._ask(0.0, "seconds", ready))

    def race(self, candidate: Ready, rival: Ready, *, seconds: float = 0.3, least: int = 3) -> Race:
        """See Bench."""
        made: Race = self._ask(seconds, "race", candidate, rival, seconds, least)
        return made

    def rounds(
        self,
        entered: Sequence[Ready],
        *,
        seconds: float,
        least: int,
        most: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> list[list[float]]:
        """See Bench."""
        self._progress = progress
        made: list[list[float]] = self._ask(0.0, "rounds", list(entered), seconds, least, most)
        return made

    def keep(self, wanted: Sequence[Ready]) -> None:
        """See Bench."""
        if self._process is not None:
            self._ask(0.0, "keep", list(wanted))

    def close(self) -> None:
        """See Bench."""
        self._kill()
        self._folder.cleanup()

    def _start(self) -> Ready:
        """A new worker with the default prepared."""
        ours, theirs = Pipe()
        with (self.directory / STDERR).open("wb") as stderr:
            cpus = cpus_to_pin(self.job.threads)
            numbers = f"{theirs.fileno()}, {str(self.directory)!r}, {os.getpid()}, {self.memory}, {cpus!r}"
            with _blocked():
                self._process = subprocess.Popen(
                    [sys.executable, "-c", _PROGRAM.format(path=sys.path, arguments=numbers)],
                    stdin=subprocess.DEVNULL,
                    stdout=stderr,
                    stderr=stderr,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for the search to handle, and what it starts dies with it
                )
        theirs.close()
        self._connection = ours
        self.started += 1
        self.run_limit = _START
        try:
            ready, seconds = self._receive(0.0)
        except CandidateError as error:
            raise TuneError(
                f"the default schedule of {self.job.pipeline.name} cannot be timed ({error.kind}): {error}"
            ) from None
        self.run_limit = self.limits.run or max(10.0, 20 * seconds)
        made: Ready = ready
        return made

    def _ask(self, seconds: float, name: str, *arguments: Any) -> Any:
        if self._process is None:
            self._start()
        assert self._connection is not None
        try:
            self._connection.send_bytes(packed((name, arguments)))
        except OSError:
            self._fail(None)
        return self._receive(seconds)

    def _receive(self, seconds: float) -> Any:
        """The answer to a request that is meant to take `seconds` beyond the limits."""
        assert self._connection is not None
        phase = "run"
        deadline = time.monotonic() + self.run_limit + seconds
        while True:
            try:
                if not self._connection.poll(max(deadline - time.monotonic(), 0.0)):
                    self._fail(phase)
                kind, *said = unpacked(self._connection.recv_bytes())
            except (EOFError, OSError):
                self._fail(None)
            except BaseException:  # a second Ctrl-C: the answer will never be read
                self._kill()
                raise
            if kind == "done":
                return said[0]
            if kind == "candidate":
                raise CandidateError(*said)
            if kind == "failed":
                raise TuneError(said[0])
            if kind == "phase":
                phase = said[0]
            elif kind == "round":
                self._progress(said[0])
            limit = self.limits.compile if phase == "compile" else self.run_limit
            deadline = time.monotonic() + limit + seconds

    def _fail(self, phase: str | None) -> NoReturn:
        """End the worker: it took too long in `phase`, or it is gone already where that is None."""
        entered = (self.directory / RUNNING).read_bytes()[0]
        if phase is not None:
            self._kill()
            limit = self.limits.compile if phase == "compile" else self.run_limit
            doing = {"compile": "compiling", "check": "checking", "run": "running"}[phase]
            raise CandidateError("timeout", f"{doing} took more than {limit:.3g} s", entered)
        assert self._process is not None
        status = self._process.wait()
        self._kill()
        said = (self.directory / STDERR).read_text(errors="replace").strip()
        kind: Kind = "crash"
        if status == -signal.SIGKILL or any(sign in said for sign in _NO_MEMORY):
            kind = "memory"
        why = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        raise CandidateError(kind, f"the process ended with {why}" + (f": {said[-500:]}" if said else ""), entered)

    def _kill(self) -> None:
        """End the worker and everything that it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._connection is not None:
            self._connection.close()
        self._process = self._connection = None


@contextlib.contextmanager
def _blocked() -> Iterator[None]:
    """What is started here never gets the signals of batch systems, which are sent to every process of a job.

    They are for the search to handle; a candidate that they ended would be taken for one that crashes.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _sweep() -> None:
    """Remove the directories of this user's searches that were killed; they hold copies of images."""
    for folder in Path(tempfile.gettempdir()).glob(_PREFIX + "*"):
        owner = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if owner.isdigit() and not psutil.pid_exists(int(owner)) and folder.stat().st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
