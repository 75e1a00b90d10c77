"""`autosched doctor`: what is wrong is said and is the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Command, record_file

from autosched.cli.doctor import _quota


def test_nothing_is_wrong(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSCHED_NUM_THREADS", "1")
    (places / "tuned").mkdir()
    said = autosched("doctor")
    assert said.status == 0 and said.out.endswith("nothing is wrong\n") and "WRONG" not in said.out
    assert f"{places / 'tuned'} (AUTOSCHED_TUNED_DIR)" in said.out and "numba" in said.out


def test_what_is_wrong(autosched: Command, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped directory, a number of threads that is none, a broken file."""
    monkeypatch.setenv("AUTOSCHED_NUM_THREADS", "many")
    said = autosched("doctor")
    assert said.status == 1 and said.out.endswith("2 problems\n")
    assert "no records are read from there; mend AUTOSCHED_TUNED_DIR" in " ".join(said.out.split())
    assert "AUTOSCHED_NUM_THREADS is 'many'" in said.out
    path = record_file(places)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    said = autosched("doctor", "--json")
    data = json.loads(said.out)
    assert said.status == 1 and data["problems"] == 2
    (broken,) = [f for f in data["findings"] if f["value"] == str(path)]
    assert broken["what"] == "file of records" and broken["problem"].startswith("it is not JSON")


def test_the_quota_of_a_control_group(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert _quota(tmp_path / "cpu.max") == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert _quota(tmp_path / "cpu.max") is None and _quota(tmp_path / "none") is None


def test_warm(autosched: Command) -> None:
    said = autosched("warm", "blur-test", "-t", "1")
    assert said.status == 0, said.err
    assert said.out.startswith("blur-test is compiled in ")
