"""The memory of this process: how much it could still get, and how much it may hold."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")


def _status(field: str) -> int:
    """A field of /proc/self/status in bytes; 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) << 10
    return 0


def available() -> int:
    """Bytes that this process could still get: of the machine, and of the control group that it is in."""
    free = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup") / Path("/proc/self/cgroup").read_text().split("::", 1)[1].strip().lstrip("/")
        most = (group / "memory.max").read_text().strip()
        if most != "max":
            free = min(free, int(most) - int((group / "memory.current").read_text()))
    return max(free, 0)


def limit_growth(nbytes: int) -> None:
    """Let the data of this process grow by `nbytes` at most; beyond that there is no memory (MemoryError)."""
    most = _status("VmData") + nbytes
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    if soft == resource.RLIM_INFINITY or most < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
