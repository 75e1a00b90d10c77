"""Merging records: a pure function, so that files from many machines come together in any order to one result."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autosched.records.model import Record


def merge(*groups: Iterable[Record]) -> tuple[Record, ...]:
    """One record a key, in a stable order.

    Of two with the same key the more rigorous search wins (more trials, then compared on more workloads, then more
    rounds), then the greater speedup over the default, then the newer. Commutative, associative and idempotent.
    """
    best: dict[str, Record] = {}
    for group in groups:
        for record in group:
            key = record.key.model_dump_json()
            if key not in best or rank(record) > rank(best[key]):
                best[key] = record
    return tuple(best[key] for key in sorted(best))


def deciding(kept: Record, other: Record) -> str:
    """Why `other` is not preferred to a record with the same key."""
    rigor, less = rank(kept)[:3], rank(other)[:3]
    return "was less rigorous" if less < rigor else "found nothing faster"


def rank(record: Record) -> tuple[Any, ...]:
    """What makes a record preferable to another with the same key; a total order of different records."""
    s = record.search
    return (
        s.trials,
        len(record.losses or ()),
        s.rounds,
        record.times.speedup.median,
        record.origin.when.timestamp(),
        record.model_dump_json(),
    )
