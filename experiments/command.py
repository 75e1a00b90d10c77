"""What `autosched experiment` does: lists, runs and draws experiments, and writes the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autosched.errors import ArgumentError, AutoschedError
from experiments.environment import environment, load
from experiments.experiment import EXPERIMENTS, Selection, table
from experiments.family import FAMILIES
from experiments.implementation import IMPLEMENTATIONS
from experiments.results import RESULTS, Results
from experiments.runner import Plan, run
from experiments.workloads import WORKLOADS

_WIDTH = 160
"""Columns where the output is a file."""

_BUSY = 0.3
"""Load per CPU above which results are called noisy."""

ROOT = Path(__file__).parent.parent


def console() -> Console:
    """Where everything goes."""
    made = Console(highlight=False)
    if not made.is_terminal:
        made.width = _WIDTH
    return made


def list_all() -> None:
    """Prints experiments, families, implementations and workloads."""
    out = console()
    listed = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("experiment", "question", "rows here", "figures"):
        listed.add_column(heading, no_wrap=heading != "question")
    for experiment in EXPERIMENTS.values():
        path = table(experiment.name)
        rows = str(sum(1 for _ in Results(path))) if path.exists() else ""
        listed.add_row(experiment.name, experiment.question, rows, " ".join(experiment.plots))
    out.print(listed)
    for title, names in (("families", FAMILIES), ("implementations", IMPLEMENTATIONS), ("workloads", WORKLOADS)):
        out.print(f"\n{title}: {', '.join(names)}", soft_wrap=True)


def run_all(names: Sequence[str], plan: Plan) -> None:
    """Measures what is missing of experiments. Raises ArgumentError where a name is unknown.

    Every number of threads has a process of its own, because some libraries read it once a process.
    """
    out = console()
    _check(names, plan.selection)
    if load() > _BUSY * environment().cpus:
        out.print(f"[yellow]The load is {load()}: other programs run, and these numbers will be noisy.[/yellow]")
    begin = time.perf_counter()
    counts = plan.selection.threads
    failed = 0
    for done, threads in enumerate(counts):
        here = replace(plan, selection=replace(plan.selection, threads=(threads,)), counts=counts)
        spent, rest = time.perf_counter() - begin, len(counts) - done
        if plan.budget is not None:
            here = replace(here, budget=max(0.0, plan.budget - spent) / rest)
        if plan.stop_after is not None:
            here = replace(here, stop_after=max(0.0, plan.stop_after - spent))
        failed += _child(names, here, threads)
    where = ", ".join(str(table(name, plan.quick, plan.folder)) for name in names)
    out.print(
        f"{environment().cpu}; {environment().versions}; code {environment().code}\nrows: {where}", soft_wrap=True
    )
    if failed:
        raise AutoschedError("some cases failed, as said above; all others are measured")


def plot(
    names: Sequence[str], out: Path | None = None, results: Path | None = None, *, what_there_is: bool = False
) -> None:
    """Draws the figures of experiments from their tables.

    Raises ArgumentError where a name is unknown, or there is no table; `what_there_is` says so instead and goes on.
    """
    from plots import style, tables

    _check(names, Selection())
    scripts = dict.fromkeys(script for name in names for script in EXPERIMENTS[name].plots)
    for script in scripts:
        figures = import_module(f"plots.plot_{script}").figures
        try:
            for path in tables.draw(figures, out or style.FIGURES, results or RESULTS):
                console().print(str(path), soft_wrap=True)
        except ArgumentError as error:
            if not what_there_is:
                raise
            console().print(f"[yellow]not drawn:[/yellow] {error}", soft_wrap=True)


def report(results: Path | None = None) -> None:
    """Writes the report from the tables."""
    from experiments.report import write

    console().print(str(write(results or RESULTS)), soft_wrap=True)


def _check(names: Sequence[str], selection: Selection) -> None:
    measured = {case.family for name in names for case in EXPERIMENTS[name].cases(Selection())}
    for name in selection.families:
        assert name in measured or FAMILIES[name]
    for name in selection.implementations:
        assert IMPLEMENTATIONS[name]
    for name in selection.workloads:
        if name not in WORKLOADS:
            raise ArgumentError(f"there is no workload called {name!r}; there are {', '.join(WORKLOADS)}")


def _child(names: Sequence[str], plan: Plan, threads: int) -> bool:
    """Runs experiments on a number of threads; returns whether something failed, which the process has said."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    counts = dict.fromkeys(("HL_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"), str(threads))
    job = json.dumps({"names": list(names), **asdict(plan), "folder": str(plan.folder)})
    done = subprocess.run(
        [sys.executable, "-m", "experiments.command", job],
        env={**os.environ, **counts, "PYTHONPATH": path},
        check=False,
    )
    return done.returncode != 0


def _here(job: dict[str, Any]) -> None:
    """Runs what `_child` has sent."""
    names = job.pop("names")
    plan = Plan(**{**job, "selection": Selection(**job["selection"]), "folder": Path(job["folder"])})
    out = console()
    outcome = run([EXPERIMENTS[name] for name in names], plan, out)
    if outcome.left:
        out.print(f"the time is over; {outcome.left} cases are left, which the same command goes on with")
    sys.exit(1 if outcome.failures else 0)


if __name__ == "__main__":
    _here(json.loads(sys.argv[1]))
