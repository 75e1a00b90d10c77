"""Cases run once, resume, share a budget, and say why something has no number."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from experiments.exactness import InexactError
from experiments.experiment import Case, Effort, Experiment, Number, Selection, table
from experiments.implementation import NotAvailableError
from experiments.intervals import Interval
from experiments.results import LEFT_OUT, Results
from experiments.runner import Plan, _share, run

Ran = list[tuple[str, float]]


def experiment(ran: Ran, subjects: tuple[str, ...] = ("a", "b")) -> Experiment:
    def measure(workload: str) -> Callable[[Effort], list[Number]]:
        def here(effort: Effort) -> list[Number]:
            ran.append((workload, effort.seconds))
            if workload == "w2":
                raise NotAvailableError("no such\nlibrary")
            return [Number(name, "time", Interval(2.0, 1.0, 3.0), "ms", repeats=5) for name in subjects]

        return here

    def cases(selection: Selection) -> list[Case]:
        names = selection.chosen(("w1", "w2", "w3"), selection.workloads)
        return [Case("f", name, 1, subjects, measure(name), seconds=4.0) for name in names]

    return Experiment("some", "Some", "Is it so?", cases)


def go(ran: Ran, folder: Path, subjects: tuple[str, ...] = ("a", "b"), **plan: object) -> int:
    outcome = run([experiment(ran, subjects)], Plan(folder=folder, **plan), Console(quiet=True))  # type: ignore[arg-type]
    assert outcome.failures == ()
    return outcome.left


def test_what_is_finished_is_left(tmp_path: Path) -> None:
    ran: Ran = []
    assert go(ran, tmp_path, selection=Selection(workloads=("w1",))) == 0
    assert ran == [("w1", 4.0)]
    assert go(ran, tmp_path) == 0
    assert [name for name, _ in ran] == ["w1", "w2", "w3"]
    assert go(ran, tmp_path) == 0 and len(ran) == 3, "everything was finished"
    assert go(ran, tmp_path, fresh=True) == 0 and len(ran) == 6
    assert go(ran, tmp_path, ("a", "b", "c")) == 0 and len(ran) == 9, "an implementation was added"
    rows = list(Results(table("some", folder=tmp_path)))
    assert {row.implementation for row in rows} == {"a", "b", "c"}
    timed = [row for row in rows if row.measure == "time"]
    assert len(timed) == 6 and all((row.value, row.low, row.high, row.repeats) == (2.0, 1.0, 3.0, 5) for row in timed)
    missing = [row for row in rows if row.measure == LEFT_OUT]
    assert {(row.workload, row.note) for row in missing} == {("w2", "no such library")}


def test_what_gives_no_number_says_so_and_is_finished(tmp_path: Path) -> None:
    def cases(selection: Selection) -> list[Case]:
        return [Case("f", "w1", 1, ("a",), lambda effort: [])]

    run([Experiment("none", "None", "Why?", cases)], Plan(folder=tmp_path), Console(quiet=True))
    (row,) = Results(table("none", folder=tmp_path))
    assert (row.measure, row.note) == (LEFT_OUT, "it gave no numbers")


def test_quick_rows_are_kept_apart(tmp_path: Path) -> None:
    ran: Ran = []
    go(ran, tmp_path, quick=True)
    assert [seconds for _, seconds in ran] == [0.5, 0.5, 0.5]
    assert [path.name.endswith("-quick.csv") for path in tmp_path.iterdir()] == [True]


def test_a_budget_that_is_over_leaves_the_rest(tmp_path: Path) -> None:
    ran: Ran = []
    assert go(ran, tmp_path, budget=0.0) == 3 and ran == []


def test_nothing_is_begun_after_the_time() -> None:
    assert run([experiment([])], Plan(stop_after=-1.0), Console(quiet=True)).left == 3


def test_a_case_that_fails_is_said_and_has_no_rows(tmp_path: Path) -> None:
    def wrong(effort: Effort) -> list[Number]:
        raise InexactError("another bit")

    def cases(selection: Selection) -> list[Case]:
        good = [Number("a", "time", Interval(1.0, 1.0, 1.0), "ms")]
        return [Case("f", "w1", 1, ("a",), wrong), Case("f", "w2", 1, ("a",), lambda effort: good)]

    outcome = run([Experiment("some", "Some", "Is it so?", cases)], Plan(folder=tmp_path), Console(quiet=True))
    assert outcome.failures == ("some: f w1 1: InexactError: another bit",) and outcome.left == 0
    assert [row.workload for row in Results(table("some", folder=tmp_path))] == ["w2"]


@pytest.mark.parametrize(
    ("overheads", "left", "expected"),
    [([], None, 4.0), ([], 100.0, 4.0), ([], 6.0, 2.0), ([1.0, 1.0], 6.0, 1.0), ([9.0], 6.0, 0.0)],
)
def test_what_is_left_is_shared(overheads: list[float], left: float | None, expected: float) -> None:
    """Of three cases that ask for 4 s each: all of it, half of it, a quarter where each costs a second besides."""
    cases = list(experiment([]).cases(Selection()))
    assert _share(cases, overheads, left, quick=False) == expected


def test_what_is_measured_on_other_threads_is_not_called_nothing(tmp_path: Path) -> None:
    def cases(selection: Selection) -> list[Case]:
        return [Case("f", "w1", 1, ("a",), lambda effort: [])] if 1 in selection.threads else []

    alone = Experiment("alone", "Alone", "Is it so?", cases)
    for counts, said in (((1, 2), False), ((2,), True)):
        console = Console(record=True, width=200, file=io.StringIO())
        run([alone], Plan(Selection(threads=(2,)), folder=tmp_path, counts=counts), console)
        assert ("nothing is selected" in console.export_text()) == said


def test_nothing_to_measure_is_said(tmp_path: Path) -> None:
    """A name that the experiment has not, and what is finished already."""
    ran: Ran = []
    console = Console(record=True, width=200, file=io.StringIO())
    run([experiment(ran)], Plan(Selection(workloads=("other",)), folder=tmp_path), console)
    assert "some: nothing is selected; it has families f; workloads w1, w2, w3" in console.export_text() and not ran
    for _ in range(2):
        run([experiment(ran)], Plan(folder=tmp_path), console)
    assert "finished here already; --fresh measures it again" in console.export_text()
