"""The command line with a small kernel family, directories of its own, and a look at what it prints."""

from __future__ import annotations

from pathlib import Path

import blur_family
import pytest
from command import Command, Said

from autosched.cli import samples
from autosched.cli.main import run
from autosched.records.store import forget_warnings
from autosched.tune import ablation, closing, isolated
from autosched.tune import run as tune_run
from autosched.tune.bench import LocalBench
from autosched.vlm import registry


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with search_spaces/, tuned/ and state/, which the command line uses."""
    spaces = tmp_path / "search_spaces"
    spaces.mkdir()
    (spaces / "blur-test.toml").write_text(blur_family.SPACE)
    monkeypatch.setattr(samples, "shipped", lambda folder: tmp_path / folder)
    monkeypatch.setattr(registry, "_families", {"blur-test": blur_family.FAMILY})
    monkeypatch.setattr(registry, "_HOMES", {})
    monkeypatch.setattr(closing, "FINAL_SECONDS", 0.05)
    monkeypatch.setattr(closing, "SIMPLIFY_SECONDS", 0.05)
    monkeypatch.setattr(isolated, "IsolatedBench", LocalBench)
    monkeypatch.setattr(ablation, "IsolatedBench", LocalBench)
    monkeypatch.setattr(tune_run, "IsolatedBench", LocalBench)  # test_ctrl_c_and_resume has a real one
    monkeypatch.setenv("AUTOSCHED_TUNED_DIR", str(tmp_path / "tuned"))
    monkeypatch.setenv("AUTOSCHED_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    forget_warnings()
    return tmp_path


@pytest.fixture
def autosched(places: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line: `autosched("tune", "blur-test")`."""

    def command(*arguments: str) -> Said:
        status = run(arguments)
        captured = capsys.readouterr()
        return Said(status, captured.out, captured.err)

    return command
