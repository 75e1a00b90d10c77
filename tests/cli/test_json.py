"""--json: one object on standard output with the keys that are documented, whatever is said on standard error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command import NAME, Command, record_file

from autosched.cli import searches
from autosched.cli.emit import KEYS


def data_of(autosched: Command, *arguments: str) -> Any:
    said = autosched(*arguments, "--json")
    assert said.status == 0, said.err
    assert said.out.count("\n") == 1
    data = json.loads(said.out)
    assert tuple(data) == KEYS[arguments[0]]
    return data


def test_every_command(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "COMPARE_SECONDS", 0.1)
    data = data_of(autosched, "tune", NAME, "-w", "small", "-w", "large", "--trials", "3", "-t", "1")
    assert data["path"] == str(record_file(places))
    assert [(s["workload"], s["bucket"], s["trials"]) for s in data["searches"]] == [
        ("small", "small", 3),
        ("large", "large", 3),
    ]
    for search in data["searches"]:
        assert 0 < search["ms"]["low"] <= search["ms"]["median"] <= search["ms"]["high"]
        assert search["speedup"].keys() == {"median", "low", "high"}

    (kernel,) = data_of(autosched, "list")["kernels"]
    assert kernel["name"] == NAME and kernel["buckets"].keys() == {"small", "large"}

    data = data_of(autosched, "explain", NAME, "-t", "1")
    assert [b["answered_by"] for b in data["buckets"]] == ["exact", "exact"]
    assert data["directories"][0] == {"path": str(places / "tuned"), "exists": True}
    assert data["buckets"][0]["record"]["trials"] == 3 and data["buckets"][0]["path"] == str(record_file(places))
    (bucket,) = data_of(autosched, "explain", NAME, "-t", "4", "--bucket", "small")["buckets"]
    assert bucket["steps"][0] == {"rung": "exact", "answered": False, "why": ["nearest record: threads is 1, wanted 4"]}

    data = data_of(autosched, "space", NAME, "--samples", "2")
    assert data["points"] == 24 and [k["name"] for k in data["knobs"]] == ["rows", "block", "lanes"]
    assert len(data["samples"]) == 2 and [w["name"] for w in data["workloads"]] == ["small", "large"]

    data = data_of(autosched, "bench", NAME, "-w", "small", "-t", "1", "--time-budget", "50ms")
    (group,) = data["workloads"][0]["groups"]
    assert group["missing"] == {"nothing": "nothing is not installed"} and group["baseline"] == "default"
    assert {row["name"] for row in group["rows"]} == {"default", "v1", "v3", "tuned", "numpy"}

    data = data_of(autosched, "matrix", NAME, "-w", "small", "-w", "large", "-t", "1", "--time-budget", "100ms")
    assert data["serves"].keys() == {"small", "large"} and data["workloads"][0]["schedules"]["default"]["ms"] > 0

    (places / "tuned" / "more.json").write_text("[]")
    data = data_of(autosched, "merge", str(places / "tuned"), "--out", str(places / "all"))
    assert data["records"] == 2 and data["skipped"] == [str(places / "tuned" / "more.json")]
    assert data["written"] == [{"path": str(record_file(places, "all")), "changed": True}]
    assert autosched("list").out.startswith("name"), "the next command is for people again"


def test_the_readme_has_all_keys() -> None:
    text = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for command, keys in KEYS.items():
        assert f"| `{command}` | {', '.join(f'`{key}`' for key in keys)} |" in text


def test_not_with_slurm(autosched: Command) -> None:
    said = autosched("tune", NAME, "--slurm", "--dry-run", "--json")
    assert said.status == 2 and "--json is for searches on this machine" in said.err
