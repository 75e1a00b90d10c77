"""Instructions of one call, as the CPU counts them: of a process that calls several times, less one that calls once.

`python -m experiments.instructions FAMILY WORKLOAD IMPLEMENTATION THREADS CALLS` is that process.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Final

from experiments.family import FAMILIES
from experiments.implementation import IMPLEMENTATIONS, NotAvailableError
from experiments.torch_threads import limit_torch
from experiments.workloads import WORKLOADS

_EVENT: Final = "instructions:u"
_PERF: Final = ("perf", "stat", "-x", ",", "-e", _EVENT, "--")
_MORE: Final = 4


def measure(family: str, workload: str, implementation: str, threads: int) -> float:
    """Instructions of one call, of all threads. Raises NotAvailableError where they are not counted."""
    _require()
    command = [sys.executable, "-m", "experiments.instructions", family, workload, implementation, str(threads)]
    once, often = (_counted([*command, str(calls)]) for calls in (1, 1 + _MORE))
    return (often - once) / _MORE


@lru_cache(maxsize=1)
def _require() -> None:
    """Raises NotAvailableError where `perf` is not there, or counts no instructions."""
    if shutil.which(_PERF[0]) is None:
        raise NotAvailableError("perf is not installed")
    _counted(["true"])


def _counted(command: list[str]) -> float:
    root = Path(__file__).parent.parent
    done = subprocess.run([*_PERF, *command], capture_output=True, text=True, cwd=root, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotAvailableError(f"the process whose instructions are counted failed: {last}")
    return count_in(done.stderr)


def count_in(text: str) -> float:
    """The count in what `perf stat -x ,` writes. Raises NotAvailableError where there is none."""
    for line in text.splitlines():
        value, *rest = line.split(",")
        if any(field.startswith("instructions") for field in rest):
            if value.isdigit():
                return float(value)
            raise NotAvailableError(f"perf says that instructions are {value.strip('<>')} on this machine")
    raise NotAvailableError("perf printed no instructions")


def run_here(family: str, workload: str, implementation: str, threads: int, calls: int) -> None:
    """Calls an implementation some times, and once before so that everything is there."""
    limit_torch(threads)
    images = WORKLOADS[workload].images()
    run = IMPLEMENTATIONS[implementation].make(FAMILIES[family], WORKLOADS[workload], threads)
    for _ in range(1 + calls):
        run(images)


if __name__ == "__main__":
    _, _family, _workload, _implementation, *_numbers = sys.argv
    run_here(_family, _workload, _implementation, *map(int, _numbers))
