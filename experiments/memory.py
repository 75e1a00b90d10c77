"""Peak memory of one call, in a process that does nothing else.

`python -m experiments.memory FAMILY WORKLOAD IMPLEMENTATION THREADS` is that process; it prints one line of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from autosched.runtime.pool import clear
from experiments.exactness import output_bytes
from experiments.family import FAMILIES
from experiments.implementation import IMPLEMENTATIONS, NotAvailableError, Output
from experiments.torch_threads import limit_torch
from experiments.workloads import WORKLOADS

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass(frozen=True, slots=True)
class Peak:
    """Bytes: the output, and how much more than before the call was resident at its peak, the output included."""

    output: int
    peak: int

    @property
    def ratio(self) -> float:
        """The peak over the output."""
        return self.peak / self.output

    @property
    def extra(self) -> int:
        """The peak without the output."""
        return self.peak - self.output


def measure(family: str, workload: str, implementation: str, threads: int) -> Peak:
    """The peak of one call in a process of its own.

    Raises:
        NotAvailableError: the implementation is not installed, or this is not Linux.
    """
    command = [sys.executable, "-m", "experiments.memory", family, workload, implementation, str(threads)]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    if done.returncode:  # also where the implementation is not available: the reason is the last line
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotAvailableError(f"the process that measures memory failed: {last}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


def measure_here(family: str, workload: str, implementation: str, threads: int) -> Peak:
    """The peak of one call in this process.

    Each image goes alone before, so that libraries, kernels and threads are there.
    """
    if not _CLEAR_REFS.exists():
        raise NotAvailableError("peak memory is read from /proc, which only Linux has")
    limit_torch(threads)
    chosen, known = WORKLOADS[workload], IMPLEMENTATIONS[implementation]
    images = chosen.images()
    run = known.make(FAMILIES[family], chosen, threads)
    if known.sizes_are_code:
        run(images)
    else:
        for image in images:
            run([image])
    gc.collect()
    _give_back_free_memory()
    before = _resident("VmRSS")
    _CLEAR_REFS.write_text(_RESET_PEAK)
    output: Output = run(images)
    return Peak(output_bytes(output), _resident("VmHWM") - before)


def _give_back_free_memory() -> None:
    """Memory that the allocator kept, or the pool of outputs, would serve the call without showing."""
    clear()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _resident(name: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise NotAvailableError(f"{_STATUS} has no {name}")


if __name__ == "__main__":
    _, _family, _workload, _implementation, _threads = sys.argv
    print(json.dumps(asdict(measure_here(_family, _workload, _implementation, int(_threads)))))
