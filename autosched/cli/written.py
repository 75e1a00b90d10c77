"""Saying what became of records that were written: in a file now, or not, where another one was kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from autosched.cli.console import out

if TYPE_CHECKING:
    from autosched.records import Record, Written

#: What writes the record of a search all the same.
HOW = "; --replace writes it"


def tell(written: Written, records: Iterable[Record], way_out: str = "") -> None:
    """Say where records are that a search has made, and which of others were kept; `way_out` is what writes these."""
    from autosched.records.merge import deciding

    records = [r for r in records if r.key.cpu.fingerprint().cpu_class == written.path.parent.name]
    for record in records:
        kept = written.instead(record)
        if kept is not None:
            why = deciding(kept, record)
            out().print(
                f"kept the record of {told(kept)} in {written.path}: this search ({rigor(record)}) {why}{way_out}",
                soft_wrap=True,
                markup=False,
            )
    if any(written.instead(record) is None for record in records):
        out().print(f"written to {written.path}", soft_wrap=True)


def told(record: Record) -> str:
    """What a record was made of: "720p (8 schedules, 101 rounds, 1.32 times the default's speed)"."""
    return f"{record.search.workload} ({rigor(record)})"


def rigor(record: Record) -> str:
    """What decides between records with one key."""
    search, several = record.search, len(record.losses or ())
    facts = [f"{search.trials} schedules", f"{search.rounds} rounds"]
    facts += [f"compared on {several} workloads"] * (several > 1)
    return ", ".join([*facts, f"{record.times.speedup.median:.2f} times the default's speed"])
