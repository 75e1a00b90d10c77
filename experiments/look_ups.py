"""Look-ups in the tables of results, as a text needs them: a number, a ratio with its interval, a share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Final

from autosched.errors import ArgumentError
from experiments.experiment import EXPERIMENTS, rows
from experiments.family import FAMILIES
from experiments.results import LEFT_OUT, RESULTS, Row

NONE: Final = "–"
"""Where there is no number."""


@dataclass(frozen=True)
class LookUps:
    """The tables of a class of CPUs, this machine's where it is empty. What returns text has it as it stands."""

    folder: Path = RESULTS
    cpu_class: str = ""

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        found = {}
        for name in EXPERIMENTS:
            try:
                found[name] = rows(name, self.folder, self.cpu_class)
            except ArgumentError:
                found[name] = []
        return found

    @cached_property
    def most(self) -> int:
        """The most threads that runtimes were measured on."""
        return max((row.threads for row in self._rows["runtime"]), default=1)

    def threads(self, experiment: str) -> list[int]:
        """The numbers of threads that an experiment was run on."""
        return sorted({row.threads for row in self._rows[experiment]})

    def title(self, family: str) -> str:
        """A family, as in figures."""
        return FAMILIES[family].title

    def find(self, experiment: str, **where: object) -> list[Row]:
        """The rows with such fields."""
        return [row for row in self._rows[experiment] if all(getattr(row, k) == v for k, v in where.items())]

    def one(self, experiment: str, **where: object) -> Row | None:
        """The only row with such fields, None where there is none. Raises ArgumentError where there are several."""
        found = self.find(experiment, **where)
        if len(found) > 1:
            raise ArgumentError(f"{experiment} has {len(found)} rows with {where}; name more fields")
        return found[0] if found else None

    def value(self, experiment: str, **where: object) -> str:
        """A number."""
        row = self.one(experiment, **where)
        return NONE if row is None else digits(row.value)

    def times(self, experiment: str, **where: object) -> str:
        """A ratio with its interval: "3.4x (3.2 to 3.6)"."""
        row = self.one(experiment, **where)
        return NONE if row is None else f"{digits(row.value)}x ({digits(row.low)} to {digits(row.high)})"

    def percent(self, experiment: str, **where: object) -> str:
        """A share."""
        row = self.one(experiment, **where)
        return NONE if row is None else f"{100 * row.value:.0f} %"

    def span(self, experiment: str, **where: object) -> str:
        """The least and the largest of several numbers."""
        found = [row.value for row in self.find(experiment, **where)]
        return f"{digits(min(found))} to {digits(max(found))}" if found else NONE

    def machine(self) -> str:
        """Where most rows are from, and with what."""
        every = [row for found in self._rows.values() for row in found]
        if not every:
            return NONE
        row = every[0]
        codes = sorted({r.code for r in every})
        return (
            f"{row.cpu}, {row.cpus} CPUs, {row.memory_gb} GB, {row.system}; {row.versions}; "
            f"autosched's sources {', '.join(codes)}"
        )

    def noise(self) -> str:
        """The median and the largest noise of the cells of `runtime`, in percent, and the median load."""
        cells = {row.place: row for row in self._rows["runtime"] if row.measure != LEFT_OUT}
        if not cells:
            return NONE
        noise = [100 * row.noise for row in cells.values()]
        load = median(row.load for row in cells.values())
        return f"{median(noise):.0f} % at the median and {max(noise):.0f} % at most, under a load of {load:.1f}"


def digits(value: float) -> str:
    """Three digits, and no decimals where there are more."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table; a line that says so where there is nothing."""
    body = [f"| {' | '.join(line)} |" for line in lines]
    if not body:
        return "(not measured yet)"
    rule = "|" + "|".join("---" if i == 0 else "---:" for i in range(len(header))) + "|"
    return "\n".join([f"| {' | '.join(header)} |", rule, *body])
