"""`--json`: one object on standard output, and everything for people on standard error. Its keys are in `KEYS`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import typer

from autosched.errors import AutoschedError

if TYPE_CHECKING:
    from autosched.records import Record

#: What each command's object has, always: a key is null or empty where there is nothing to say. Keys may be added.
KEYS: Mapping[str, tuple[str, ...]] = {
    "list": ("cpu_class", "kernels"),
    "explain": ("kernel", "cpu_class", "threads", "directories", "buckets"),
    "space": ("kernel", "identity", "points", "knobs", "constraints", "named", "workloads", "samples"),
    "tune": ("kernel", "path", "searches"),
    "bench": ("kernel", "threads", "workloads"),
    "matrix": ("kernel", "threads", "within", "worst", "kept", "serves", "workloads"),
    "merge": ("written", "skipped", "records", "files", "dry_run"),
    "doctor": ("problems", "findings"),
}


def emit(command: str, **data: Any) -> None:
    """Print the object of a command, in one line."""
    if data.keys() != set(KEYS[command]):
        raise AutoschedError(f"--json of {command} has {sorted(data)}, not {sorted(KEYS[command])}")
    typer.echo(json.dumps({key: data[key] for key in KEYS[command]}, default=_plain, allow_nan=False))


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def interval(value: Any) -> dict[str, float]:
    """A median with its interval."""
    return {"median": value.median, "low": value.low, "high": value.high}


def of_record(record: Record) -> dict[str, Any]:
    """What a record says of its search: milliseconds are per item, `speedup` is over the built-in default."""
    search, times = record.search, record.times
    return {
        "kernel": search.kernel,
        "workload": search.workload,
        "bucket": record.key.bucket.name,
        "threads": record.key.threads,
        "trials": search.trials,
        "rounds": search.rounds,
        "ms": interval(times.schedule),
        "speedup": interval(times.speedup),
        "noise": times.noise,
        "recorded": record.origin.when.isoformat(),
    }
