"""The machine while it times: which CPUs, at what frequency, under whose load. Stored with each record.

Everything comes from /proc and /sys and is None where the system does not say.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_CPU = Path("/sys/devices/system/cpu")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Snapshot:
    """One look at the machine: counters since it was started, and what is so now."""

    load: float
    ticks: tuple[int, ...]
    switches: int | None
    mhz: float | None
    governor: str | None


@dataclass(frozen=True)
class MachineState:
    """The machine over a run.

    `load` is how many CPUs other programs kept busy; `busy` the share of all CPU time that was used; `steal` the share
    that the hypervisor gave to others; `mhz` the mean frequency at begin and end; `switches` how often a second the
    machine changed between threads.
    """

    cpus: int
    governor: str | None = None
    mhz: tuple[float, float] | None = None
    load: float = 0.0
    busy: float | None = None
    steal: float | None = None
    switches: float | None = None

    def complaints(self) -> list[str]:
        """Reasons to distrust timings on this machine; empty where nothing is wrong."""
        complaints = []
        if self.load > 0.3 + 0.05 * self.cpus:
            complaints.append(f"other programs keep {self.load:.1f} of {self.cpus} CPUs busy")
        if self.steal is not None and self.steal > 0.02:
            complaints.append(f"the hypervisor gives {100 * self.steal:.0f} % of the time to others")
        if self.governor is not None and self.governor not in ("performance", "schedutil"):
            complaints.append(f"the frequency governor is {self.governor}, not performance")
        if self.mhz is not None and abs(self.mhz[0] - self.mhz[1]) > 0.1 * max(self.mhz):
            complaints.append(f"the frequency went from {self.mhz[0]:.0f} to {self.mhz[1]:.0f} MHz")
        return complaints


def snapshot() -> Snapshot:
    """The machine now."""
    ticks: tuple[int, ...] = ()
    switches = None
    for line in _read(_PROC / "stat").splitlines():
        if line.startswith("cpu "):
            ticks = tuple(map(int, line.split()[1:]))
        elif line.startswith("ctxt "):
            switches = int(line.split()[1])
    return Snapshot(os.getloadavg()[0], ticks, switches, _mhz(), _read(_CPU / "cpu0/cpufreq/scaling_governor") or None)


def state(begin: Snapshot, end: Snapshot, seconds: float, own: float = 0.0) -> MachineState:
    """The machine between two looks that were `seconds` apart; `own` is how many CPUs the caller itself kept busy."""
    delta = [b - a for a, b in zip(begin.ticks, end.ticks, strict=True)]
    total = sum(delta[:8])  # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user
    busy = steal = switches = None
    if total > 0 and len(delta) >= 8:
        idle = (delta[3] + delta[4]) / total  # Linux may take back what it has counted as waiting for a disk
        busy, steal = round(min(max(1 - idle, 0.0), 1.0), 3), round(delta[7] / total, 4)
    if begin.switches is not None and end.switches is not None and seconds > 0:
        switches = round((end.switches - begin.switches) / seconds, 1)
    mhz = None if begin.mhz is None or end.mhz is None else (round(begin.mhz, 1), round(end.mhz, 1))
    cpus = os.cpu_count() or 1
    others = begin.load if busy is None else busy * cpus - own
    return MachineState(cpus, end.governor, mhz, round(max(others, 0.0), 2), busy, steal, switches)


class Watch:
    """Looks at the machine from when it is made until `state` is asked for."""

    def __init__(self) -> None:
        self._begin, self._clock, self._own = snapshot(), time.monotonic(), _own_seconds()

    def state(self) -> MachineState:
        """The machine since then."""
        seconds = max(time.monotonic() - self._clock, 1e-3)
        return state(self._begin, snapshot(), seconds, (_own_seconds() - self._own) / seconds)


def _own_seconds() -> float:
    """CPU time of this process and of all that it has started."""
    here = psutil.Process()
    times = here.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in here.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += sum(child.cpu_times()[:4])
    return float(total)


def cpus_to_pin(threads: int) -> tuple[int, ...]:
    """One CPU for each of `threads`, of those that this process may use: cores of their own first, the last ones first.

    Empty where nothing is to be pinned: all are needed, or the system cannot do it. The first CPU is left to interrupts
    and to the search itself as long as there are others.
    """
    if not hasattr(os, "sched_getaffinity"):
        return ()
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    if threads >= len(allowed):
        return ()
    first_of_core: dict[str, int] = {}
    for cpu in allowed:
        siblings = _read(_CPU / f"cpu{cpu}/topology/thread_siblings_list") or str(cpu)
        first_of_core.setdefault(siblings, cpu)
    cores = list(first_of_core.values())
    return tuple((cores + [cpu for cpu in allowed if cpu not in cores])[:threads])


def _mhz() -> float | None:
    """The mean frequency of all CPUs."""
    found = [float(line.split(":")[1]) for line in _read(_PROC / "cpuinfo").splitlines() if line.startswith("cpu MHz")]
    if not found:
        files = _CPU.glob("cpu[0-9]*/cpufreq/scaling_cur_freq")
        found = [int(text) / 1e3 for text in map(_read, files) if text.isdigit()]
    return sum(found) / len(found) if found else None


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return ""
