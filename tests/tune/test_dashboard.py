"""optuna-dashboard opens the studies that searches write, in SQLite and in PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import synthetic
from servers import folder_of_nobody, free_port, postgresql

from autosched.tune.place import study_file

TRIALS = 12


@contextmanager
def dashboard(url: str) -> Iterator[str]:
    """The program as users start it; the address of its interface for programs."""
    port = free_port()
    # sqlalchemy's name of the driver; the program is a console script of the same interpreter
    program = "import sys; from optuna_dashboard._cli import main; sys.argv[0] = 'optuna-dashboard'; main()"
    command = [sys.executable, "-c", program, url, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        process.kill()
        process.communicate()


def answer(address: str) -> Any:
    """What the dashboard says, as soon as it says something."""
    deadline = time.monotonic() + 600
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as said:
                return json.load(said)
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def check(url: str, result_trials: int) -> None:
    with dashboard(url) as address:
        (summary,) = answer(f"{address}/studies")["study_summaries"]
        assert summary["study_name"].startswith("blur-test | ") and summary["directions"] == ["minimize"]
        shown = answer(f"{address}/studies/{summary['study_id']}?after=0")
    trials = shown["trials"]
    assert len(trials) == result_trials
    assert {t["state"] for t in trials} == {"Complete"} and all(len(t["values"]) == 1 for t in trials)
    # schedules that come with a pipeline have no params, points have both knobs of the space
    named = {p["name"].partition("[")[0] for t in trials for p in t["params"]}
    assert named == {"factor", "lanes"}
    kinds = {a["value"].strip('"') for t in trials for a in t["user_attrs"] if a["key"] == "kind"}
    assert "ok" in kinds


def test_sqlite(tmp_path: Path) -> None:
    result = synthetic.search(tmp_path, tmp_path / "log", TRIALS)
    check(f"sqlite:///{study_file('blur-test', tmp_path)}", len(result.trials))


def test_postgresql(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    with folder_of_nobody("autosched-postgresql-") as folder, postgresql(folder) as url:
        result = synthetic.search(tmp_path, tmp_path / "log", TRIALS, url)
        check(url.replace("postgresql:", "postgresql+psycopg:"), len(result.trials))
