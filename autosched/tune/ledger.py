"""The state of a run over several workloads, in a file, so that it goes on where it was when it is started anew.

The study keeps what was measured. The ledger keeps how much of its time each workload has had and which are finished:
a job that is killed and requeued every hour ends after its time budget, not after many of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autosched.errors import RecordError, ScheduleError
from autosched.files import write_whole
from autosched.records import Record
from autosched.schedule import Schedule

#: Seconds that may pass without being written down.
LATE = 2.0


@dataclass(frozen=True)
class Found:
    """The end of the search of a workload: its record, and the schedules that came close, by labels."""

    record: Record
    schedules: Mapping[str, Schedule]


@dataclass(frozen=True)
class LedgerEntry:
    """A workload: seconds that its search has had, how far it is, and what it ended with, once that is recorded."""

    seconds: float = 0.0
    trials: int = 0
    speedup: float = 1.0
    found: Found | None = None


class Ledger:
    """The entries of a run by the names of workloads, in the file `path`; nothing is kept where that is None."""

    def __init__(self, path: Path | None) -> None:
        """Raises RecordError where the file is no ledger."""
        self.path = path
        self._written = 0.0
        self.entries: dict[str, LedgerEntry] = read(path) if path is not None else {}

    def entry(self, workload: str) -> LedgerEntry:
        """The entry of a workload; an empty one where there is none."""
        return self.entries.get(workload, LedgerEntry())

    def note(self, workload: str, seconds: float, trials: int, speedup: float) -> None:
        """A workload has had so many seconds. Written to the file every `LATE` seconds."""
        self.entries[workload] = LedgerEntry(round(seconds, 2), trials, round(speedup, 4))
        if time.monotonic() - self._written > LATE:
            self._write()

    def finish(self, workload: str, found: Found) -> None:
        """The record of a workload is written."""
        self.entries[workload] = replace(self.entry(workload), found=found)
        self._write()

    def _write(self) -> None:
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({name: _data(entry) for name, entry in self.entries.items()}, indent=1)
        write_whole(self.path, text.encode(), durable=True)
        self._written = time.monotonic()


def read(path: Path) -> dict[str, LedgerEntry]:
    """The entries in a file; none where there is no file. Raises RecordError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): _entry(**entry) for name, entry in data.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, ScheduleError) as error:
        raise RecordError(f"{path} is no ledger of a run ({error}); delete it, and the run begins anew") from None


def _data(entry: LedgerEntry) -> dict[str, Any]:
    data: dict[str, Any] = {"seconds": entry.seconds, "trials": entry.trials, "speedup": entry.speedup}
    if entry.found is not None:
        schedules = {label: schedule.to_data() for label, schedule in entry.found.schedules.items()}
        data["found"] = {"record": entry.found.record.model_dump(mode="json"), "schedules": schedules}
    return data


def _entry(seconds: float, trials: int, speedup: float, found: dict[str, Any] | None = None) -> LedgerEntry:
    if found is None:
        return LedgerEntry(seconds, trials, speedup)
    schedules = {label: Schedule.from_data(data) for label, data in found["schedules"].items()}
    return LedgerEntry(seconds, trials, speedup, Found(Record.model_validate(found["record"]), schedules))
