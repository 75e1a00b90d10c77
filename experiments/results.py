"""Results: one tidy CSV file an experiment, a row a number, kept between runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from autosched.files import write_whole
from experiments.environment import Environment

RESULTS: Final = Path(__file__).parent / "results"

#: The measure of rows that only say why there is no number.
LEFT_OUT: Final = "left out"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured number.

    Attributes:
        family, workload, threads: where it was measured.
        case: tells apart what is measured at different times in one place, "" where there is one thing.
        implementation: what was measured.
        part: of it; a stage, a directive, a choice of a knob; "" for all of it.
        measure: which number this is.
        against: what a ratio is taken to; "" otherwise.
        value, low, high: the number and its interval, which is the number itself where there is none.
        repeats: rounds, or processes.
        exact: whether the output was that of its oracle, bit for bit.
        note: what a reader has to know.
        kernels: the schedules that ran.
        noise: the larger distance from 1 of the interval of something over itself, in the same rounds.
        load: processes that wanted a CPU in the minute before.
        cpu ... code: the environment.
    """

    family: str
    workload: str
    threads: int
    case: str
    implementation: str
    part: str
    measure: str
    against: str
    value: float
    low: float
    high: float
    unit: str
    repeats: int
    exact: bool
    note: str
    kernels: str
    noise: float
    load: float
    cpu: str
    cpus: int
    memory_gb: int
    system: str
    versions: str
    code: str

    @property
    def place(self) -> tuple[str, str, int, str]:
        """What is measured together, and replaced together."""
        return self.family, self.workload, self.threads, self.case

    @property
    def key(self) -> tuple[Any, ...]:
        """What a table has one row of."""
        return *self.place, self.implementation, self.part, self.measure, self.against

    def taken_in(self, environment: Environment) -> bool:
        """Whether the environment was this one."""
        return all(getattr(self, name) == value for name, value in asdict(environment).items())


class Results:
    """The rows of a file. Adding rows drops those of the same places and writes the file at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = {row.key: row for row in _read(path)} if path.exists() else {}

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def add(self, rows: Iterable[Row]) -> None:
        """Adds rows and writes the file, whole or not at all."""
        added = {row.key: row for row in rows}
        replaced = {row.place for row in added.values()}
        kept = {key: row for key, row in self._rows.items() if row.place not in replaced}
        self._rows = kept | added
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(_as_text(row) for row in sorted(self._rows.values(), key=lambda row: row.key))
        write_whole(self.path, text.getvalue().encode(), durable=True)

    def measured(self, environment: Environment, place: tuple[str, str, int, str]) -> set[str]:
        """The implementations that have rows of a place from this environment."""
        return {row.implementation for row in self if row.place == place and row.taken_in(environment)}


def _as_text(row: Row) -> dict[str, str]:
    """Numbers with the digits that mean something, so that files differ only where results do."""
    return {name: f"{value:.5g}" if isinstance(value, float) else str(value) for name, value in asdict(row).items()}


def _read(path: Path) -> Iterator[Row]:
    convert: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "bool": "True".__eq__}
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            yield Row(**{field.name: convert.get(str(field.type), str)(line[field.name]) for field in fields(Row)})
