"""Records to test with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autosched.records import Record
from autosched.schedule import Schedule

Make = Callable[..., Record]


def data(**changes: Any) -> dict[str, Any]:
    """A valid record as JSON data, with the named leaves changed."""
    made: dict[str, Any] = {
        "key": {
            "algorithm": "a" * 64,
            "autosched": "0.1.0",
            "cpu": {
                "architecture": "x86_64",
                "vendor": "amd",
                "family": 25,
                "model": 17,
                "features": ["avx512vbmi", "avx2"],
                "l1d": 32768,
                "l2": 1048576,
                "l3": 33554432,
            },
            "threads": 8,
            "bucket": {"name": "medium", "measures": {"pixels": 1e6, "scale": 1.0}},
        },
        "schedule": Schedule().parallel("out", "y").to_data(),
        "search": {
            "trials": 50,
            "rounds": 9,
            "seconds": 12.5,
            "space": "s",
            "workload": "w1",
            "conditions": "warm",
            "kernel": "",
        },
        "times": {
            "schedule": {"median": 1.0, "low": 0.9, "high": 1.1},
            "default": {"median": 3.0, "low": 2.9, "high": 3.3},
            "speedup": {"median": 3.0, "low": 2.8, "high": 3.1},
            "noise": 0.01,
        },
        "origin": {"when": "2026-01-02T03:04:05Z", "python": "3.11.7", "numba": "0.68.1", "llvmlite": "0.50.0"},
        "machine": None,
        "losses": None,
    }
    for path, value in changes.items():
        at = made
        *outer, last = path.split("__")
        for name in outer:
            at = at[name]
        assert last in at, path
        at[last] = value
    return made
