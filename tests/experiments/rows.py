"""Rows of results for tests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from experiments.environment import Environment
from experiments.results import Row

HERE = Environment(
    cpu="some CPU, with a comma",
    cpus=2,
    memory_gb=16,
    system="Linux",
    versions="python 3; numpy 2",
    code="c0de",
)


def row(**changes: Any) -> Row:
    """A row in which only what matters to a test is given."""
    plain: dict[str, Any] = {
        "family": "qwen2.5-vl",
        "workload": "640x480",
        "threads": 1,
        "case": "",
        "implementation": "autosched",
        "part": "",
        "measure": "time",
        "against": "",
        "value": 1.5,
        "low": 1.25,
        "high": 1.75,
        "unit": "ms",
        "repeats": 9,
        "exact": True,
        "note": 'says "so", twice',
        "kernels": "abc",
        "noise": 0.01,
        "load": 0.5,
        **asdict(HERE),
    }
    return Row(**{**plain, **changes})
