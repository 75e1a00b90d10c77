"""The machine's state: what is read, what is complained about, which CPUs are used."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosched.records.model import Machine
from autosched.tune import machine
from autosched.tune.machine import MachineState, Snapshot, Watch, cpus_to_pin, state


def look(*ticks: int, switches: int | None = 0, mhz: float | None = 2000.0) -> Snapshot:
    return Snapshot(0.5, ticks, switches, mhz, "performance")


def test_what_happened_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.os, "cpu_count", lambda: 4)
    begin = look(100, 0, 10, 1000, 0, 0, 0, 5, 0, 0)
    end = look(400, 0, 60, 1640, 0, 0, 0, 15, 0, 0, switches=500, mhz=1500.0)
    made = state(begin, end, 2.5, own=1.0)
    # 300 + 50 + 640 + 10 ticks: 36 % of four CPUs are busy, one of them with this
    assert made == MachineState(4, "performance", (2000.0, 1500.0), 0.44, 0.36, 0.01, 200.0)
    assert Machine(cpus=4, load=0.44).busy is None
    unknown = state(look(switches=None, mhz=None), look(switches=None, mhz=None), 1.0)
    assert unknown.busy is unknown.steal is unknown.switches is unknown.mhz is None and unknown.load == 0.5


def test_complaints() -> None:
    assert MachineState(8, "performance", (2000.0, 2001.0), 0.2, 0.2, 0.0, 100.0).complaints() == []
    assert MachineState(8).complaints() == []
    for bad, message in (
        (MachineState(2, load=1.0), "other programs keep 1.0 of 2 CPUs busy"),
        (MachineState(2, steal=0.1), "the hypervisor gives 10 % of the time to others"),
        (MachineState(2, governor="powersave"), "the frequency governor is powersave, not performance"),
        (MachineState(2, mhz=(3000.0, 2000.0)), "the frequency went from 3000 to 2000 MHz"),
    ):
        assert bad.complaints() == [message]


def test_a_watch_sees_this_machine() -> None:
    watch = Watch()
    sum(i * i for i in range(200_000))
    seen = watch.state()
    assert seen.cpus >= 1 and (seen.busy is None or 0 <= seen.busy <= 1) and seen.load >= 0


def test_pinning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two threads a core, siblings n and n + 4: cores of their own first, from the last, and never all."""
    for cpu in range(8):
        folder = tmp_path / f"cpu{cpu}/topology"
        folder.mkdir(parents=True)
        (folder / "thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    monkeypatch.setattr(machine, "_CPU", tmp_path)
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: set(range(8)))
    assert cpus_to_pin(1) == (7,) and cpus_to_pin(3) == (7, 6, 5) and cpus_to_pin(4) == (7, 6, 5, 4)
    assert cpus_to_pin(6) == (7, 6, 5, 4, 3, 2)
    assert cpus_to_pin(8) == cpus_to_pin(9) == ()
    monkeypatch.setattr(machine.os, "sched_getaffinity", lambda _: {2, 3})
    assert cpus_to_pin(1) == (3,) and cpus_to_pin(2) == ()
