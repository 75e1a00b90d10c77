"""The lookup ladder: which record answers for a machine, an algorithm and a workload, and why.

Exact key; the same class of CPU and the nearest bucket; the same instruction set; the built-in default. A bucket that
is too far away does not count as near: its schedule was tuned for something else, and the default is the better guess.
Where the built-in default is one for the bucket, no other bucket is near.
Pure: records come in, an Answer with its explanation comes out. Nothing is ever searched for or timed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from autosched.records.model import Key, Record
from autosched.schedule import Schedule

#: How far a bucket may be, in powers of two over all its measures; see `Bucket.distance`.
NEAR = 1.0

Rung = Literal["exact", "same CPU class", "same instruction set", "built-in default"]


@dataclass(frozen=True)
class Located:
    """A record and the file that it is from. `place` is the file's directory in the order of preference."""

    record: Record
    path: Path
    place: int = 0


@dataclass(frozen=True)
class Difference:
    """A field of the key that a record does not have as it is wanted. `far` ones are never overlooked."""

    field: str
    wanted: str
    found: str
    far: bool = False

    def __str__(self) -> str:
        return f"{self.field} is {self.found}, wanted {self.wanted}"


@dataclass(frozen=True)
class Step:
    """What a rung of the ladder said. `why` is empty where it answered without any difference."""

    rung: Rung
    answered: bool
    why: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """The rung that answered, with its record (None for the built-in default) and what each rung before it said."""

    rung: Rung
    located: Located | None
    steps: tuple[Step, ...]

    @property
    def schedule(self) -> Schedule | None:
        """The record's schedule."""
        return self.located.record.schedule if self.located else None

    def explain(self) -> str:
        """A few lines: which rung answered, from which file, and which field of the key failed on the others."""
        lines = [f"answered by: {self.rung}" + (f" ({self.located.path})" if self.located else "")]
        for step in self.steps:
            mark = "yes" if step.answered else "no"
            lines.append(f"  {step.rung + ':':<22} {mark}" + (f", {step.why[0]}" if step.why else ""))
            lines += [" " * 29 + why for why in step.why[1:]]
        return "\n".join(lines)


def lookup(
    key: Key,
    records: Sequence[Located],
    legal: Callable[[Schedule], str | None] = lambda _: None,
    by_bucket: bool = False,
    passed_over: int = 0,
) -> Answer:
    """The answer of the first rung that has one.

    `legal` says what is wrong with a schedule for the pipeline at hand, None where nothing is; illegal ones are passed
    over. `by_bucket`: the built-in default is one for the bucket of `key`. `passed_over` files of records could not be
    read, or not all of them.
    """
    steps: list[Step] = []
    illegal: list[str] = []
    usable: list[tuple[Located, tuple[Difference, ...]]] = []
    for located in records:
        if located.record.key.algorithm == key.algorithm and (wrong := legal(located.record.schedule)):
            illegal.append(f"a schedule in {located.path} is not legal for this pipeline: {wrong}")
        else:
            usable.append((located, differences(key, located.record.key)))
    for rung, fields in _RUNGS:
        may_differ = partial(_but_bucket, fields) if by_bucket else fields
        fitting = [(x, d) for x, d in usable if not _blocking(d, may_differ)]
        if fitting:
            best, differing = min(fitting, key=lambda f: preference(key, f[0]))
            steps.append(Step(rung, True, tuple(map(str, differing))))
            return Answer(rung, best, tuple(steps))
        if not records:
            why: tuple[str, ...] = (_nothing(passed_over),)
        elif usable:
            _, differing = min(usable, key=lambda f: (len(_blocking(f[1], may_differ)), preference(key, f[0])))
            why = tuple(f"nearest record: {d}" for d in _blocking(differing, may_differ))
        else:
            why = ()
        steps.append(Step(rung, False, (*why, *illegal)))
    steps.append(Step("built-in default", True, ()))
    return Answer("built-in default", None, tuple(steps))


def _nothing(passed_over: int) -> str:
    if not passed_over:
        return "there are no records of this pipeline"
    files = "1 file of its records was" if passed_over == 1 else f"{passed_over} files of its records were"
    return f"{files} passed over (see the warning)"


def _but_bucket(may_differ: Callable[[str], bool], field: str) -> bool:
    return field != "bucket" and may_differ(field)


def _in_class(field: str) -> bool:
    return field in ("autosched", "threads", "bucket", "cpu.caches")


def _in_isa(field: str) -> bool:
    return _in_class(field) or field == "cpu class"


_RUNGS: tuple[tuple[Rung, Callable[[str], bool]], ...] = (
    ("exact", lambda field: False),
    ("same CPU class", _in_class),
    ("same instruction set", _in_isa),
)


def _blocking(differing: Sequence[Difference], may_differ: Callable[[str], bool]) -> list[Difference]:
    return [d for d in differing if d.far or not may_differ(d.field)]


def differences(wanted: Key, found: Key) -> tuple[Difference, ...]:
    """The fields in which two keys differ, the weightiest first."""
    a, b = wanted.cpu.fingerprint(), found.cpu.fingerprint()
    pairs = (
        ("algorithm", wanted.algorithm[:12], found.algorithm[:12], wanted.algorithm == found.algorithm),
        ("instruction set", a.isa, b.isa, a.isa == b.isa),
        ("cpu class", a.cpu_class, b.cpu_class, a.cpu_class == b.cpu_class and a.features == b.features),
        ("cpu.caches", _caches(wanted), _caches(found), _caches(wanted) == _caches(found)),
        ("bucket", wanted.bucket.name, found.bucket.name, wanted.bucket == found.bucket),
        ("threads", str(wanted.threads), str(found.threads), wanted.threads == found.threads),
        ("autosched", wanted.autosched, found.autosched, wanted.autosched == found.autosched),
    )
    far = found.bucket.bucket().distance(wanted.bucket.measures) > NEAR
    return tuple(
        Difference(field, want, have, far and field == "bucket") for field, want, have, equal in pairs if not equal
    )


def _caches(key: Key) -> str:
    return "/".join(str(size >> 10) for size in (key.cpu.l1d, key.cpu.l2, key.cpu.l3)) + " KiB"


def preference(key: Key, located: Located) -> tuple[float, ...]:
    """The order of records on one rung, the best first: bucket, threads, CPU, version, directory, rigor."""
    record = located.record
    cpu, wanted = record.key.cpu, key.cpu
    apart = (
        0.0 if record.key.bucket == key.bucket else max(record.key.bucket.bucket().distance(key.bucket.measures), 1e-9)
    )
    return (
        apart,
        abs(math.log2(record.key.threads / key.threads)),
        float((cpu.vendor, cpu.family, cpu.model) != (wanted.vendor, wanted.family, wanted.model)),
        float(cpu != wanted),
        float(record.key.autosched != key.autosched),
        float(located.place),
        -float(record.search.trials),
        -record.origin.when.timestamp(),
    )
