"""The tables that figures are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autosched.errors import ArgumentError
from experiments.experiment import table
from experiments.results import RESULTS, Results, Row
from plots import style

#: From the folder of results to figures by the names of their files.
Draw: TypeAlias = Callable[[Path], Iterable[tuple[str, Figure | None]]]

_OUT = Annotated[Path, typer.Option(help="Folder of the figures.")]
_RESULTS = Annotated[Path, typer.Option(help="Folder of the tables.")]


def rows(experiment: str, folder: Path = RESULTS) -> list[Row]:
    """The rows of an experiment: of this class of CPUs or, where there are none, of the only one there is.

    Raises ArgumentError where there is nothing to draw.
    """
    path = table(experiment, folder=folder)
    if not path.exists():
        files = [file for file in sorted(folder.glob(f"{experiment}-*.csv")) if not file.stem.endswith("-quick")]
        if len(files) != 1:
            raise ArgumentError(
                f"{folder} has no table of {experiment}; `autosched experiment run {experiment}` makes it"
            )
        (path,) = files
    return list(Results(path))


def draw(make: Draw, out: Path = style.FIGURES, results: Path = RESULTS) -> list[Path]:
    """Draws figures and writes them; returns where they are."""
    style.apply()
    made = []
    for name, figure in make(results):
        if figure is not None:
            made.append(style.save(figure, name, out))
            plt.close(figure)
    return made


def script(make: Draw) -> None:
    """What a figure's file does when it is run."""

    def main(out: _OUT = style.FIGURES, results: _RESULTS = RESULTS) -> None:
        for path in draw(make, out, results):
            print(path)

    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command(help=make.__doc__)(main)
    app()


def threads_of(count: int) -> str:
    """As in titles and, with a hyphen, in names of files."""
    return f"{count} thread{'s' if count != 1 else ''}"


def machine(found: Iterable[Row]) -> str:
    """The machine that rows are from."""
    return next(iter(found)).cpu
