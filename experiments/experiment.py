"""What an experiment is: a question, and cases that can be measured one by one and at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from autosched.errors import ArgumentError
from autosched.runtime.cpu import fingerprint
from experiments.intervals import Interval
from experiments.registry import Registry
from experiments.results import RESULTS, Results, Row
from experiments.timing import Rounds


@dataclass(frozen=True)
class Number:
    """What a case found: a number of an implementation. The fields are those of `Row` with the same names."""

    implementation: str
    measure: str
    interval: Interval
    unit: str
    part: str = ""
    against: str = ""
    repeats: int = 1
    exact: bool = True
    note: str = ""
    kernels: str = ""
    noise: float = 0.0


@dataclass(frozen=True)
class Effort:
    """How much is given to one case.

    Attributes:
        seconds: for the repetitions; what comes before them takes what it takes.
        quick: only whether it works is of interest.
        say: hears what is being done.
    """

    seconds: float
    quick: bool = False
    say: Callable[[str], None] = lambda text: None

    @property
    def rounds(self) -> Rounds:
        """The rounds that this gives."""
        return Rounds(3, 9, self.seconds) if self.quick else Rounds(5, 60, self.seconds)


@dataclass(frozen=True)
class Case:
    """What is measured together, in the same rounds.

    Attributes:
        family, workload, threads, case: where; see `Row`.
        subjects: the implementations that it has numbers of; it is finished when all of them have rows.
        measure: does it. What cannot be measured raises NotAvailableError, or gets a Number called `LEFT_OUT`.
        seconds: that the repetitions should have, where there is time for everything.
    """

    family: str
    workload: str
    threads: int
    subjects: tuple[str, ...]
    measure: Callable[[Effort], Iterable[Number]]
    seconds: float = 10.0
    case: str = ""

    @property
    def place(self) -> tuple[str, str, int, str]:
        """What its rows have in common."""
        return self.family, self.workload, self.threads, self.case


@dataclass(frozen=True)
class Selection:
    """What of an experiment is wanted; an empty choice is everything.

    Attributes:
        families, workloads, implementations: names.
        threads: numbers of threads that are measured now.
        most: the largest number of threads of the whole run, for what is measured on all of them only.
    """

    families: Sequence[str] = ()
    workloads: Sequence[str] = ()
    implementations: Sequence[str] = ()
    threads: Sequence[int] = (1,)
    most: int = 1

    def chosen(self, names: Iterable[str], wanted: Sequence[str]) -> list[str]:
        """Those of `names` that are wanted, in order."""
        return [name for name in names if not wanted or name in wanted]

    @property
    def all_threads(self) -> list[int]:
        """The largest number of threads, where it is measured now."""
        return [count for count in self.threads if count == self.most]


@dataclass(frozen=True)
class Experiment:
    """A question and how it is answered.

    Attributes:
        name: as on the command line, and of its file of results.
        title: as in tables and figures.
        question: one line.
        cases: what there is to measure.
        plots: names of scripts in plots/ that draw it, without `plot_` and `.py`.
        alone: it takes so long that `autosched experiment all` leaves it to a run of its own.
    """

    name: str
    title: str
    question: str
    cases: Callable[[Selection], Iterable[Case]]
    plots: tuple[str, ...] = ()
    alone: bool = False


#: All experiments, in the order of the report.
EXPERIMENTS: Final[Registry[Experiment]] = Registry("experiment", "experiments.studies")


def table(name: str, quick: bool = False, folder: Path = RESULTS, cpu_class: str = "") -> Path:
    """The file of results of an experiment on a class of CPUs, this one where it is empty."""
    return folder / f"{name}-{cpu_class or fingerprint().cpu_class}{'-quick' if quick else ''}.csv"


def rows(name: str, folder: Path = RESULTS, cpu_class: str = "") -> list[Row]:
    """The rows of an experiment on a class of CPUs; where none is named on this one, or else on the only one there is.

    Raises ArgumentError where there is no table.
    """
    path = table(name, folder=folder, cpu_class=cpu_class)
    if not path.exists():
        files = [file for file in sorted(folder.glob(f"{name}-*.csv")) if not file.stem.endswith("-quick")]
        if len(files) != 1 or cpu_class:
            quick = (
                "no table of" if not table(name, True, folder, cpu_class).exists() else "a table of --quick alone of"
            )
            where = "" if folder == RESULTS else f" --results {folder}"
            raise ArgumentError(f"{folder} has {quick} {name}; `autosched experiment run {name}{where}` makes it")
        (path,) = files
    return list(Results(path))
