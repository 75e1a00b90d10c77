"""A login node of a cluster in tests: starts `autosched tune blur-test --slurm` and reads what its nodes have done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cluster import until


def _heeds_interrupts() -> None:
    """Ctrl-C ends what is started, also where the tests run in the background and have been told to ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Running:
    """A command that runs; what it prints goes to a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()

    def ends(self, status: int = 0, seconds: float = 600.0) -> str:
        """Wait for the end with that status; all that was printed."""
        assert self.process.wait(timeout=seconds) == status, self.said()
        return self.said()


@dataclass(frozen=True)
class Desk:
    """A login node: starts commands in directories of the test's own."""

    folder: Path
    environment: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def trials(self) -> Path:
        """A line for each trial that was finished, written by the nodes after it was finished."""
        return self.folder / "trials"

    def finished(self) -> list[str]:
        """The schedules of all finished trials, in the order of their ends."""
        return [line.split()[1] for line in self.trials.read_text().splitlines() if line.startswith("trial")]

    def tuners(self) -> list[int]:
        """The processes that have tuned, in the order of their starts."""
        return [int(line.split()[1]) for line in self.trials.read_text().splitlines() if line.startswith("tuner")]

    def tuner_on(self, node: str) -> int:
        """The process that has started last on a node."""
        lines = [line.split() for line in self.trials.read_text().splitlines() if line.startswith("tuner")]
        return int([line[1] for line in lines if line[2] == node][-1])

    def start(self, *arguments: str) -> Running:
        """`autosched tune blur-test --slurm` with more arguments."""
        log = self.folder / f"said-{len(list(self.folder.glob('said-*')))}"
        command = [sys.executable, "-c", "from autosched.cli.main import main; main()", "tune", "blur-test", "--slurm"]
        with log.open("w") as out:
            process = subprocess.Popen(
                [*command, "--threads", "1", "--out", str(self.folder / "tuned"), *arguments],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **self.environment},
                preexec_fn=_heeds_interrupts,
            )  # fmt: skip
        self.started.append(process)
        return Running(process, log)

    def hold(self, trials: int) -> None:
        """Let nodes stay in the middle of a trial once so many are finished."""
        new = self.folder / "hold.new"
        new.write_text(str(trials))
        new.replace(self.folder / "hold")

    def release(self) -> None:
        """Let them go on."""
        (self.folder / "hold").unlink()

    def held(self, tuner: int) -> int:
        """Wait until the tuner that was started as such (from 0) is held; its process."""
        until(lambda: len(self.tuners()) > tuner, "a tuner runs")
        process = self.tuners()[tuner]
        until(lambda: f"holds {process}\n" in self.trials.read_text(), "it is in the middle of a trial")
        return process

    def told(self, tuner: int) -> None:
        """Wait until a signal of Slurm has reached the tuner that was started as such: it is on its way for a while."""
        process = self.tuners()[tuner]
        until(lambda: f"told {process}\n" in self.trials.read_text(), "it is told to end")
