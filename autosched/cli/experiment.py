"""`autosched experiment`: the studies of a checkout: list them, run them, draw them, write the report."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

import autosched
from autosched.cli.options import duration, thread_count
from autosched.errors import ArgumentError

app = typer.Typer()

Names = Annotated[list[str], typer.Argument(help="Experiments; `autosched experiment list` shows them.")]
Families = Annotated[
    list[str] | None, typer.Option("--family", "-f", help="Only this family; may be repeated.", show_default=False)
]
Workloads = Annotated[
    list[str] | None, typer.Option("--workload", "-w", help="On this workload; may be repeated.", show_default=False)
]
Implementations = Annotated[
    list[str] | None,
    typer.Option("--implementation", "-i", help="Only this one beside the baselines.", show_default=False),
]
Counts = Annotated[
    list[int] | None,
    typer.Option("--threads", "-t", help="Threads; may be repeated. [default: 1 and all CPUs]", show_default=False),
]
Quick = Annotated[bool, typer.Option("--quick", help="Few rounds, to see whether it works; tables of their own.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Measure what is finished too.")]
Budget = Annotated[str, typer.Option("--budget", help="For everything together, shared out. [default: all it takes]")]
Stop = Annotated[str, typer.Option("--stop-after", help="Begin nothing new after that; the same command goes on.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder of the figures.", show_default=False)]
Results = Annotated[Path | None, typer.Option("--results", help="Folder of the tables.", show_default=False)]


@app.callback(invoke_without_command=True)
def _help(context: typer.Context) -> None:
    """Run the studies of a checkout, draw their figures, write the report."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list")
def list_experiments() -> None:
    """Experiments with their questions; families, implementations and workloads."""
    _studies().list_all()


@app.command("run")
def run(
    names: Names,
    family: Families = None,
    workload: Workloads = None,
    implementation: Implementations = None,
    threads: Counts = None,
    quick: Quick = False,
    fresh: Fresh = False,
    budget: Budget = "",
    stop_after: Stop = "",
    results: Results = None,
) -> None:
    """Measure what is missing in the tables of experiments; stop it at any time and start it again."""
    _run(names, family or (), workload or (), implementation or (), threads, quick, fresh, budget, stop_after, results)


@app.command("plot")
def plot(names: Names, out: Out = None, results: Results = None) -> None:
    """Draw the figures of experiments from their tables."""
    _studies().plot(names, out, results)


@app.command("report")
def report(results: Results = None) -> None:
    """Put the numbers of the tables into experiments/REPORT.md."""
    _studies().report(results)


@app.command("all")
def everything(
    threads: Counts = None,
    quick: Quick = False,
    fresh: Fresh = False,
    budget: Budget = "",
    stop_after: Stop = "",
    results: Results = None,
) -> None:
    """Run every experiment that does not take a run of its own, draw the figures, write the report."""
    studies = _studies()
    names = [name for name, experiment in studies.EXPERIMENTS.items() if not experiment.alone]
    _run(names, (), (), (), threads, quick, fresh, budget, stop_after, results)
    if not quick:
        studies.plot(names, None, results, what_there_is=True)
        studies.report(results)


def _run(
    names: Any,
    families: Any,
    workloads: Any,
    implementations: Any,
    threads: list[int] | None,
    quick: bool,
    fresh: bool,
    budget: str,
    stop_after: str,
    results: Path | None,
) -> None:
    studies = _studies()
    counts = sorted({thread_count(count) for count in threads or [1, thread_count(None)]})
    selection = studies.Selection(
        *(tuple(names) for names in (families, workloads, implementations, counts)), most=max(counts)
    )
    seconds = duration(budget, "--budget") if budget else None
    end = duration(stop_after, "--stop-after") if stop_after else None
    folder = {} if results is None else {"folder": results.resolve()}
    studies.run_all(list(names), studies.Plan(selection, quick, fresh, seconds, end, **folder))


def _studies() -> Any:
    """The module that does everything. Raises ArgumentError where this is not a checkout."""
    root = Path(autosched.__file__).resolve().parent.parent
    if not (root / "experiments" / "command.py").exists():
        raise ArgumentError(
            "the experiments are not in the wheel; clone the repository, `pip install -e '.[dev]' torch torchvision` "
            "there, and then this command"
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return import_module("experiments.command")
