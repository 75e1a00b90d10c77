"""What a run has done survives it, and says what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from autosched.errors import RecordError
from autosched.tune import ledger
from autosched.tune.ledger import Entry, Ledger


def test_it_goes_on_where_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "deep" / "ledger.json"
    first = Ledger(file)
    assert first.entry("a") == Entry() == Entry(0.0, 0, 1.0, False)
    first.note("a", 1.234, 5, 1.5)
    first.finish("a")
    monkeypatch.setattr(ledger, "LATE", 0.0)
    first.note("b", 0.5, 2, 1.0)
    again = Ledger(file)
    assert again.entries == {"a": Entry(1.23, 5, 1.5, True), "b": Entry(0.5, 2, 1.0)}
    assert [p.name for p in file.parent.iterdir()] == ["ledger.json"]


def test_it_does_not_write_all_the_time(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "ledger.json")
    for i in range(100):
        book.note("a", i, i, 1.0)
    assert ledger.read(tmp_path / "ledger.json")["a"].trials == 0 and book.entry("a").trials == 99


def test_nothing_is_kept_without_a_file() -> None:
    book = Ledger(None)
    book.note("a", 1.0, 1, 1.0)
    book.finish("a")
    assert book.entry("a").done


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '{"a": {"b": 1}}'])
def test_what_is_no_ledger(tmp_path: Path, text: str) -> None:
    (tmp_path / "x").write_text(text)
    with pytest.raises(RecordError, match=r"x is no ledger of a run .*; delete it, and the run begins anew"):
        Ledger(tmp_path / "x")
