"""Qwen2.5-VL preprocessing: runtime and peak memory of every implementation, and the distance to the memory floor.

`python -m experiments.bench_qwen_vl` measures what is missing in the results file and prints the tables; stop it at any
time and start it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autosched.runtime import default_threads
from autosched.runtime.cpu import fingerprint
from experiments import report
from experiments.cell import Cell
from experiments.environment import environment, load
from experiments.options import chosen, counts
from experiments.qwen_vl import BASELINES, IMPLEMENTATIONS
from experiments.results import Measure, Results
from experiments.timing import Rounds
from experiments.workloads import STANDARD, WORKLOADS

FULL = Rounds(least=9, most=60, seconds=20.0)
QUICK = Rounds(least=3, most=9, seconds=1.0)
RESULTS = Path(__file__).parent / "results"

_WIDTH = 180
"""Columns where the output is a file."""

_BUSY = 0.3
"""Load per CPU above which results are called noisy."""


@dataclass(frozen=True)
class Plan:
    """What is measured and how; `fresh` measures what is finished too."""

    workloads: Sequence[str]
    threads: Sequence[int]
    implementations: Sequence[str]
    rounds: Rounds
    memory: bool
    fresh: bool


def main(
    quick: Annotated[bool, typer.Option(help="Few rounds, no memory; rows go to a file of their own.")] = False,
    threads: Annotated[str, typer.Option(help="Numbers of threads; by default 1 and all.")] = "",
    workloads: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(STANDARD),
    implementations: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(IMPLEMENTATIONS),
    memory: Annotated[
        bool | None, typer.Option(help="Measure peak memory, on the most threads; by default unless quick.")
    ] = None,
    fresh: Annotated[bool, typer.Option(help="Measure what is finished again.")] = False,
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
) -> None:
    """Measure Qwen2.5-VL preprocessing, keep the rows, print the tables."""
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH
    plan = Plan(
        workloads=chosen(workloads, WORKLOADS, "--workloads"),
        threads=counts(threads, default_threads()),
        implementations=chosen(implementations, IMPLEMENTATIONS, "--implementations"),
        rounds=QUICK if quick else FULL,
        memory=not quick if memory is None else memory,
        fresh=fresh,
    )
    kept = Results(results / f"qwen_vl-{fingerprint().cpu_class}{'-quick' if quick else ''}.csv")
    if load() > _BUSY * environment().cpus:
        console.print(f"[yellow]The load is {load()}: other programs run, and these numbers will be noisy.[/yellow]")
    skipped = _measure(kept, plan, console)
    for table in report.tables(kept, plan.workloads, plan.threads, IMPLEMENTATIONS):
        console.print(table)
    for name, reason in skipped.items():
        console.print(f"left out: {name}: {reason}", highlight=False)
    console.print(f"{environment().cpu}; {environment().versions}\nrows: {kept.path}", highlight=False, soft_wrap=True)


def _measure(kept: Results, plan: Plan, console: Console) -> dict[str, str]:
    """Measures what is not finished; returns why implementations were left out."""
    skipped: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        cells = progress.add_task("cells", total=len(plan.workloads) * len(plan.threads))
        steps = progress.add_task("", total=None)
        for workload, count in product(plan.workloads, plan.threads):
            cell = Cell(WORKLOADS[workload], count, IMPLEMENTATIONS, BASELINES, skipped)
            title = f"{cell.workload.title}, {count} thread{'s' * (count > 1)}"
            progress.reset(steps, description=f"{title}: preparing", total=None)
            wanted = cell.wanted(plan.implementations)
            if to_time := _unfinished(kept, plan, cell, wanted, "time"):
                progress.reset(steps, description=f"{title}: rounds", total=plan.rounds.most)
                kept.add(cell.runtime(to_time, plan.rounds, lambda done: progress.update(steps, completed=done)))
            for name in (
                _unfinished(kept, plan, cell, wanted, "peak memory")
                if plan.memory and count == max(plan.threads)
                else []
            ):
                progress.reset(steps, description=f"{title}: memory of {name}", total=None)
                kept.add(cell.memory(name))
            progress.advance(cells)
    return skipped


def _unfinished(kept: Results, plan: Plan, cell: Cell, names: Sequence[str], measure: Measure) -> list[str]:
    """Those that have no row of a measure from this environment and their present kernels."""
    if plan.fresh:
        return list(names)
    here = environment()
    return [name for name in names if not kept.finished(here, *cell.place(name), measure, cell.kernels[name])]


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
