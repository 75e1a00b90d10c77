"""The tables that figures are drawn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from autosched.threads import counted
from experiments.experiment import rows
from experiments.results import RESULTS, Row
from plots import style

#: From the folder of results to figures by the names of their files.
Draw: TypeAlias = Callable[[Path], Iterable[tuple[str, Figure | None]]]

__all__ = ["Draw", "draw", "machine", "rows", "script", "threads_of"]

_OUT = Annotated[Path, typer.Option(help="Folder of the figures.")]
_RESULTS = Annotated[Path, typer.Option(help="Folder of the tables.")]


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
    return counted(count)


def machine(found: Iterable[Row]) -> str:
    """The machine that rows are from."""
    return next(iter(found)).cpu
