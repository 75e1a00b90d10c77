"""Thread scaling is of calls with the bits of one another, each with the threads that it is said to have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from experiments.cell import Cell
from experiments.exactness import InexactError
from experiments.experiment import Effort, Selection
from experiments.family import FAMILIES, Family
from experiments.implementation import IMPLEMENTATIONS, Images, NotAvailableError, Output, Run
from experiments.results import LEFT_OUT
from experiments.studies import scaling
from experiments.workloads import WORKLOADS, Workload

torch = pytest.importorskip("torch")
QUICK = Effort(0.05, quick=True)


@pytest.fixture(autouse=True)
def threads_of_torch() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def selected(threads: int) -> Selection:
    return Selection(["qwen2.5-vl"], ["tiny"], ["hf-torchvision", "autosched"], [1, threads], threads)


def cell(make: Callable[[Family, Workload, int], Run]) -> Cell:
    """One whose autosched is something else."""
    fake = replace(IMPLEMENTATIONS["autosched"], make=make)
    return Cell(FAMILIES["qwen2.5-vl"], WORKLOADS["tiny"], 2, {**IMPLEMENTATIONS, "autosched": fake})


def test_a_call_is_timed_on_one_thread_and_on_all() -> None:
    (case,) = scaling.cases(selected(2))
    numbers = list(case.measure(QUICK))
    for name in ("hf-torchvision", "autosched"):
        mine = {(n.measure, n.part): n.interval.value for n in numbers if n.implementation == name}
        assert mine.keys() == {("time", "1"), ("time", "2"), ("scaling", "")}
        assert mine["scaling", ""] == pytest.approx(mine["time", "1"] / mine["time", "2"], rel=0.5)


def test_there_is_nothing_to_compare_on_one_thread() -> None:
    assert list(scaling.cases(selected(1))) == []


def test_torch_has_the_threads_that_the_row_says() -> None:
    seen: set[tuple[int, int]] = set()

    def make(family: Family, workload: Workload, threads: int) -> Run:
        def run(images: Images) -> Output:
            seen.add((threads, torch.get_num_threads()))
            return {"pixel_values": np.zeros(1)}

        return run

    assert scaling.measure(cell(make), ["autosched"], QUICK)
    assert seen == {(1, 1), (2, 2)}


def test_bits_that_depend_on_the_threads_are_an_error() -> None:
    made = cell(lambda family, workload, threads: lambda images: {"pixel_values": np.full(1, threads)})
    with pytest.raises(InexactError, match="depends on the number of threads"):
        scaling.measure(made, ["autosched"], QUICK)


def test_what_is_not_here_is_left_out() -> None:
    def make(family: Family, workload: Workload, threads: int) -> Run:
        raise NotAvailableError("not installed")

    found = {n.implementation: n.measure for n in scaling.measure(cell(make), ["hf-torchvision", "autosched"], QUICK)}
    assert found == {"hf-torchvision": "scaling", "autosched": LEFT_OUT}
