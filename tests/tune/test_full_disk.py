"""A disk that is full while a study is open, and when it is opened: the cause is said, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import synthetic
from sqlalchemy import event
from sqlalchemy.engine import Engine

from autosched.errors import TuneError


@pytest.fixture
def _full() -> Iterator[None]:
    """Databases that exist grow by a few pages only; SQLite then says what it says where the disk is full."""

    def limit(connection: Any, _: Any) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        if pages > 10:
            connection.execute(f"PRAGMA max_page_count={pages + 2}")

    event.listen(Engine, "connect", limit)
    yield
    event.remove(Engine, "connect", limit)


@pytest.mark.usefixtures("_full")
def test_a_disk_that_gets_full(tmp_path: Path) -> None:
    with pytest.raises(
        TuneError, match=r"no space is left for studies on the disk of .*blur-test\.db: free some"
    ) as found:
        synthetic.search(tmp_path, tmp_path / "log", 9999)
    said = str(found.value)
    assert "or set AUTOSCHED_STATE_DIR to a directory on another disk; what was finished is kept" in said
    assert "answer" not in said
