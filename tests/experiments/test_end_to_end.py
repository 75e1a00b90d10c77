"""The end-to-end study runs, its numbers fit together, and modelled numbers are told from measured ones."""

from __future__ import annotations

import pytest
from small_models import small

from experiments.experiment import EXPERIMENTS, Effort, Number, Selection
from experiments.intervals import Interval
from experiments.studies import end_to_end

transformers = pytest.importorskip("transformers")
for package in ("torch", "torchvision", "skimage.data", "sklearn.datasets"):
    pytest.importorskip(package)
if int(transformers.__version__.split(".")[0]) < 5:
    pytest.skip("the models' classes are those of transformers 5", allow_module_level=True)

QUICK = Effort(0.0, quick=True)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, vlm in end_to_end.MODELS.items():
        monkeypatch.setitem(end_to_end.MODELS, name, small(vlm))


def measure(case: str, workload: str = "w1", family: str = "llava-next-7b") -> list[Number]:
    selection = Selection(families=(family,), workloads=(workload,), threads=(2,))
    (found,) = (one for one in EXPERIMENTS["endtoend"].cases(selection) if one.case == case)
    numbers = list(found.measure(QUICK))
    assert set(found.subjects) <= {number.implementation for number in numbers}, "or it would never be finished"
    keys = [(number.implementation, number.part, number.measure, number.against) for number in numbers]
    assert len(set(keys)) == len(keys), "rows would replace each other"
    return numbers


def of(numbers: list[Number], implementation: str, measure: str, **rest: str) -> list[float]:
    return [
        number.interval.value
        for number in numbers
        if (number.implementation, number.measure) == (implementation, measure)
        and all(getattr(number, name) == value for name, value in rest.items())
    ]


def test_measured_parts_add_up() -> None:
    numbers = measure("")
    model = sum(of(numbers, "model", "time"))
    for name in end_to_end.PREPARERS:
        (preparation,), (first,), (share,) = (of(numbers, name, m) for m in ("preparation", "first token", "share"))
        assert first == pytest.approx(preparation + model)
        assert share == pytest.approx(100 * preparation / first)
    assert not any("modelled" in number.note for number in numbers)


def test_modelled_numbers_say_so_and_shrink_with_utilisation() -> None:
    numbers = measure("modelled")
    for number in numbers:
        assert ("modelled" in number.note) == (number.measure != "preparation")
    for accelerator in end_to_end.ACCELERATORS:
        for name in end_to_end.PREPARERS:
            shares = of(numbers, name, "share", part=accelerator)
            assert len(shares) == 3 and shares == sorted(shares), "a faster device leaves preparation a larger share"


def test_a_waiting_stream_takes_at_least_the_wait() -> None:
    numbers = measure("modelled stream")
    (wait,) = of(numbers, "model", "time")
    for name in end_to_end.PREPARERS:
        assert all(latency >= wait for latency in of(numbers, name, "latency"))
        assert all(rate <= 1000 / wait for rate in of(numbers, name, "throughput"))
    assert all("modelled" in number.note for number in numbers)


def test_stream_through_the_model() -> None:
    numbers = measure("stream", "1920x1080", "smolvlm-256m")
    assert {number.part for number in numbers} == {"in turns", "overlapped"}
    assert all(number.interval.low > 0 for number in numbers)


def test_one_thread_of_a_cpu_has_nothing_to_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_to_end.measure, "device", lambda: "cpu")
    cases = list(EXPERIMENTS["endtoend"].cases(Selection(threads=(1,))))
    assert "stream" not in {case.case for case in cases}
    monkeypatch.setattr(end_to_end.measure, "device", lambda: "cuda")
    cases = list(EXPERIMENTS["endtoend"].cases(Selection(threads=(1,))))
    assert "stream" in {case.case for case in cases}


def test_share_has_the_ends_of_both() -> None:
    found = end_to_end.share(Interval(10.0, 5.0, 20.0), Interval(30.0, 20.0, 45.0))
    assert found == Interval(25.0, 10.0, 50.0)
