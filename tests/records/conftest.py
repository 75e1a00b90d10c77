"""Records to test with, and a fresh memory of what was warned of for every test."""

from __future__ import annotations

import pytest
from record_data import Make, data

from autosched.records import Record
from autosched.records.store import forget_warnings


@pytest.fixture(autouse=True)
def _warn_anew() -> None:
    forget_warnings()


@pytest.fixture
def make() -> Make:
    """Makes a record: `make(key__threads=4)`."""
    return lambda **changes: Record.model_validate(data(**changes))
