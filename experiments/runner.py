"""Runs the cases of experiments: what is finished is left, what is measured is kept at once, time is shared out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from experiments.environment import environment, load
from experiments.experiment import Case, Effort, Experiment, Number, Selection, table
from experiments.implementation import NotAvailableError
from experiments.intervals import Interval
from experiments.results import LEFT_OUT, RESULTS, Results, Row

QUICK_SECONDS = 0.5
_NOTHING = Interval(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Plan:
    """What is run and how.

    Attributes:
        selection: of the experiments' cases.
        quick: few rounds; rows go to files of their own.
        fresh: what is finished is measured too.
        budget: seconds of all together, which cases share, None for as long as they ask for. What does not fit is left
            for the next run.
        stop_after: seconds after which no case is begun; None for never.
        folder: of the results.
        counts: numbers of threads of the whole run, of which the selection may have one.
    """

    selection: Selection = field(default_factory=Selection)
    quick: bool = False
    fresh: bool = False
    budget: float | None = None
    stop_after: float | None = None
    folder: Path = RESULTS
    counts: Sequence[int] = ()


@dataclass(frozen=True)
class Outcome:
    """How many cases time was too short for, and what went wrong in others, which have no rows then."""

    left: int = 0
    failures: tuple[str, ...] = ()


def run(experiments: Sequence[Experiment], plan: Plan, console: Console) -> Outcome:
    """Measures what is not finished. A case that fails does not keep the others from being measured."""
    begin = time.perf_counter()
    kept = {e.name: Results(table(e.name, plan.quick, plan.folder)) for e in experiments}
    todo: list[tuple[Experiment, Case]] = []
    for e in experiments:
        chosen = list(e.cases(plan.selection))
        left_over = [case for case in chosen if plan.fresh or not finished(kept[e.name], case)]
        todo += [(e, case) for case in left_over]
        if not chosen and not any(e.cases(replace(plan.selection, threads=plan.counts))):
            console.print(f"{e.name}: nothing is selected; it has {_choices(e)}", highlight=False, soft_wrap=True)
        elif chosen and not left_over:
            console.print(f"{e.name}: finished here already; --fresh measures it again", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn())
    overheads: list[float] = []
    failures: list[str] = []
    with Progress(*columns, console=console, transient=True) as progress:
        line = progress.add_task("", total=len(todo))
        for done, (experiment, case) in enumerate(todo):
            left = None if plan.budget is None else plan.budget - (time.perf_counter() - begin)
            over = plan.stop_after is not None and time.perf_counter() - begin > plan.stop_after
            if over or (left is not None and left <= 0):
                return Outcome(len(todo) - done, tuple(failures))
            seconds = _share([c for _, c in todo[done:]], overheads, left, plan.quick)
            where = f"{experiment.name}: {' '.join(str(part) for part in case.place if part)}"
            progress.update(line, completed=done, description=where)
            started = time.perf_counter()
            effort = Effort(seconds, plan.quick, partial(_say, progress, line, where))
            try:
                kept[experiment.name].add(rows(case, effort))
            except Exception as error:  # of any library that is measured, or a wrong bit
                failures.append(f"{where}: {type(error).__name__}: {' '.join(str(error).split())}")
                console.print(f"[red]failed[/red] {failures[-1]}", highlight=False, soft_wrap=True)
            overheads.append(max(0.0, time.perf_counter() - started - seconds))
            if not console.is_terminal:
                console.print(f"{time.perf_counter() - begin:6.0f} s  {where}", highlight=False)
    return Outcome(0, tuple(failures))


def _choices(experiment: Experiment) -> str:
    """The families and workloads that can be selected."""
    places = [case.place for case in experiment.cases(Selection())]
    families, workloads = dict.fromkeys(p[0] for p in places), dict.fromkeys(p[1] for p in places)
    return f"families {', '.join(families)}; workloads {', '.join(workloads)}"


def _say(progress: Progress, line: TaskID, where: str, text: str) -> None:
    progress.update(line, description=f"{where}: {text}")


def finished(results: Results, case: Case) -> bool:
    """Whether everything of a case was measured in this environment."""
    return set(case.subjects) <= results.measured(environment(), case.place)


def rows(case: Case, effort: Effort) -> Iterator[Row]:
    """Measures a case. Where it cannot be, one row an implementation says why."""
    busy = load()
    try:
        numbers = list(case.measure(effort))
    except NotAvailableError as reason:
        numbers = [left_out(name, str(reason)) for name in case.subjects]
    present = {number.implementation for number in numbers}
    numbers += [left_out(name, "it gave no numbers") for name in case.subjects if name not in present]
    for number in numbers:
        given = asdict(number)
        given |= given.pop("interval")
        place: dict[str, Any] = {
            "family": case.family,
            "workload": case.workload,
            "threads": case.threads,
            "case": case.case,
        }
        yield Row(**place, load=busy, **given, **asdict(environment()))


def left_out(name: str, reason: str) -> Number:
    """Why an implementation has no number."""
    return Number(name, LEFT_OUT, _NOTHING, "", note=" ".join(reason.split()))


def _share(cases: Sequence[Case], overheads: Iterable[float], left: float | None, quick: bool) -> float:
    """The seconds of repetitions of the first case: what it asks for, or its share of what is left."""
    if quick:
        return QUICK_SECONDS
    wanted = cases[0].seconds
    if left is None:
        return wanted
    known = list(overheads)
    expected = len(cases) * (sum(known) / len(known) if known else 0.0)
    share = max(0.0, left - expected) / sum(case.seconds for case in cases)
    return wanted * min(1.0, share)
