"""What a run has done survives it, and says what is left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "records"))

from record_data import data

from autosched.errors import RecordError
from autosched.records import Record
from autosched.schedule import Schedule
from autosched.tune import ledger
from autosched.tune.ledger import Found, Ledger, LedgerEntry

FOUND = Found(Record.model_validate(data()), {"a: trial 3": Schedule().vectorize("f", "x", 8)})


def test_it_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "ledger.json"
    first = Ledger(file)
    assert first.entry("a") == LedgerEntry() == LedgerEntry(0.0, 0, 1.0, None)
    first.note("a", 1.234, 5, 1.5)
    first.finish("a", FOUND)
    monkeypatch.setattr(ledger, "LATE", 0.0)
    first.note("b", 0.5, 2, 1.0)
    again = Ledger(file)
    assert again.entries == {"a": LedgerEntry(1.23, 5, 1.5, FOUND), "b": LedgerEntry(0.5, 2, 1.0)}
    assert [p.name for p in file.parent.iterdir()] == ["ledger.json"]


def test_it_does_not_write_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger.time, "monotonic", lambda: 100.0)
    book = Ledger(tmp_path / "ledger.json")
    for i in range(100):
        book.note("a", i, i, 1.0)
    assert ledger.read(tmp_path / "ledger.json")["a"].trials == 0 and book.entry("a").trials == 99


def test_nothing_is_kept_without_a_file() -> None:
    book = Ledger(None)
    book.note("a", 1.0, 1, 1.0)
    book.finish("a", FOUND)
    assert book.entry("a").found == FOUND


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"b": 1}}', '{"a": {"seconds": 1}}',
                                  '{"a": {"seconds": 1, "trials": 1, "speedup": 1, "found": {}}}'])  # fmt: skip
def test_what_is_no_ledger(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(RecordError, match=r"x is no ledger of a run .*; delete it, and the run begins anew"):
        Ledger(tmp_path / "x")
