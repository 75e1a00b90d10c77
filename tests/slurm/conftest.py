"""A cluster for each test process, and a login node of it with directories of the test's own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import blur_family
import pytest
from cluster import Slurm, slurm
from desk import Desk

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Slurm]:
    with slurm() as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, cluster: Slurm) -> Iterator[Desk]:
    """Nothing that it has started is left at the end of a test, whatever became of that."""
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "blur-test.toml").write_text(blur_family.SPACE)
    path = [str(TESTS / "slurm" / "node"), str(TESTS), *sys.path]
    made = Desk(
        tmp_path,
        {
            **cluster.environment,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            "AUTOSCHED_STATE_DIR": str(tmp_path / "state"),
            "AUTOSCHED_TUNED_DIR": str(tmp_path / "records"),
            "AUTOSCHED_TEST_SPACES": str(tmp_path / "spaces"),
            "AUTOSCHED_TEST_TRIALS": str(tmp_path / "trials"),
            "AUTOSCHED_TEST_HOLD": str(tmp_path / "hold"),
            "COLUMNS": "200",
        },
    )
    made.trials.touch()
    yield made
    for process in made.started:
        process.kill()
        process.wait()
    cluster.clear()
