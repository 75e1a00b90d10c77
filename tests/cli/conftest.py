"""The command line with a small kernel family, directories of its own, and a look at what it prints."""

from __future__ import annotations

from pathlib import Path

import blur_family
import pytest
from command import Command, Said

from autosched.cli.main import run
from autosched.records.store import forget_warnings
from autosched.tune import ablation, closing, isolated
from autosched.tune import run as tune_run
from autosched.tune.bench import LocalBench
from autosched.vlm import registry


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with search_spaces/, tuned/ and state/, which the command line uses."""
    blur_family.make_only_kernel(tmp_path, monkeypatch)
    monkeypatch.setattr(registry, "_HOMES", {})
    monkeypatch.setattr(closing, "FINAL_SECONDS", 0.05)
    monkeypatch.setattr(closing, "SIMPLIFY_SECONDS", 0.05)
    monkeypatch.setattr(isolated, "IsolatedBench", LocalBench)
    monkeypatch.setattr(ablation, "IsolatedBench", LocalBench)
    monkeypatch.setattr(tune_run, "IsolatedBench", LocalBench)  # test_ctrl_c_and_resume has a real one
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
