"""A cell times what computes the right bits, and nothing else. Times are not judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from experiments import memory
from experiments.cell import Cell
from experiments.exactness import InexactError
from experiments.experiment import Effort
from experiments.family import FAMILIES
from experiments.implementation import IMPLEMENTATIONS
from experiments.results import LEFT_OUT
from experiments.schedules import named, used
from experiments.workloads import WORKLOADS

for package in ("transformers", "torchvision", "skimage.data", "sklearn.datasets"):
    pytest.importorskip(package)

TINY = WORKLOADS["tiny"]
ONCE = Effort(0.0, quick=True)


def cell(family: str = "qwen2.5-vl", **known: Any) -> Cell:
    return Cell(FAMILIES[family], TINY, 1, {**IMPLEMENTATIONS, **known})


def test_numbers_of_a_cell() -> None:
    numbers = cell().runtime(["hf-torchvision", "hf-pil", "autosched-v1", "autosched"], ONCE)
    assert all(n.interval.low <= n.interval.value <= n.interval.high for n in numbers)
    assert all(n.exact and n.repeats >= 3 for n in numbers)
    assert {n.implementation for n in numbers if n.measure == "time"} == {
        "hf-torchvision", "hf-pil", "autosched-v1", "autosched", "floor", "floor-nontemporal",
    }  # fmt: skip
    ours = {(n.measure, n.against) for n in numbers if n.implementation == "autosched"}
    assert ours == {
        ("time", ""),
        ("speedup", "hf-torchvision"),
        ("speedup", "hf-pil"),
        ("times floor", "floor"),
        ("times floor", "floor-nontemporal"),
    }


@pytest.mark.parametrize(
    ("family", "names"),
    [("internvl2.5", ["autosched-card"]), ("internvl3.5", ["autosched-pil"]), ("llava-next", ["autosched"])],
)
def test_families_give_the_bits_of_their_oracles(family: str, names: list[str]) -> None:
    """A difference would raise; what cannot run would be left out."""
    numbers = cell(family).runtime(names, ONCE)
    assert {n.implementation for n in numbers if n.measure == "speedup"} >= set(names)


def wrong(*_: Any) -> Any:
    right = IMPLEMENTATIONS["hf-torchvision"].make(FAMILIES["qwen2.5-vl"], TINY, 1)

    def run(images: Any) -> Any:
        output = right(images)
        return {**output, "pixel_values": output["pixel_values"] + 1}

    return run


def test_wrong_bits_are_never_timed() -> None:
    made = replace(IMPLEMENTATIONS["autosched"], make=wrong)
    with pytest.raises(InexactError, match="2 of 60x90, 1 threads is not hf-torchvision bit for bit"):
        cell(autosched=made).runtime(["autosched"], ONCE)
    numbers = cell(autosched=replace(made, exact=False)).runtime(["autosched"], ONCE)
    numbers = [n for n in numbers if n.implementation == "autosched"]
    assert numbers and all(not n.exact and "pixel_values differ" in n.note for n in numbers)


def test_the_same_kernels_are_timed_once() -> None:
    same = replace(IMPLEMENTATIONS["autosched-v1"], name="same", redundant_with="autosched-v1")
    numbers = cell(same=same).runtime(["autosched-v1", "same"], ONCE)
    (left,) = [n for n in numbers if n.implementation == "same"]
    assert (left.measure, left.note) == (LEFT_OUT, "the same kernels as autosched-v1")


def test_named_schedules_are_really_used() -> None:
    run = IMPLEMENTATIONS["autosched"].make(FAMILIES["qwen2.5-vl"], TINY, 1)
    images = TINY.images()
    assert len({used(named(name), lambda: run(images)) for name in ("v1", "v2", "v3", "default")}) == 4


def test_peak_memory_in_a_clean_process() -> None:
    if not memory._CLEAR_REFS.exists():
        pytest.skip("peak memory is read from /proc")
    peak = memory.measure("qwen2.5-vl", "640x480", "hf-torchvision", 1)
    assert peak.output == (476 // 14) * (644 // 14) * 1176 * 4 + 3 * 8
    assert peak.ratio > 1 and peak.extra == peak.peak - peak.output
