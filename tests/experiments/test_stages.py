"""Stages add up to the call, inner stages take their time from outer ones, and bytes are those that move."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiments import stages
from experiments.family import FAMILIES
from experiments.stages import COMPUTE, REST, STAGES, Trace, traced
from experiments.workloads import WORKLOADS

for package in ("transformers", "torchvision"):
    pytest.importorskip(package)


def test_inner_stages_are_taken_from_outer_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only work moves."""
    clock = [100.0]
    monkeypatch.setattr(stages, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    trace = Trace()

    def work(seconds: float) -> None:
        clock[0] += seconds

    def outer() -> None:
        work(1.0)
        trace.call("resample", work, 2.0)
        work(4.0)
        trace.call("resample", work, 8.0)

    trace.call("convert", outer)
    assert trace.seconds == {"resample": 10.0, "convert": 5.0}


def test_an_array_that_is_only_viewed_moves_nothing() -> None:
    trace = Trace(counting=True)
    array = np.zeros(1000, np.uint8)
    trace.call("layout", lambda a: a.reshape(10, 100), array)
    assert trace.moved == {}
    trace.call("layout", lambda a: a.copy(), array)
    assert trace.moved == {"layout": 2000}


@pytest.mark.parametrize("reference", ["torchvision", "pil"])
def test_stages_of_a_processor(reference: Any) -> None:
    """Of Qwen2.5-VL: everything that it does is in a stage, and what was wrapped is as before."""
    family, workload = FAMILIES["qwen2.5-vl"], WORKLOADS["tiny"]
    processor, images = family.processor(workload, reference), workload.images()
    before = dict(vars(type(processor)))
    with traced(type(processor), counting=True) as trace:
        output = trace.call(REST, family.call, processor, images)
    assert dict(vars(type(processor))) == before
    assert {"pixels", "resample", "normalise", "layout", REST} <= set(trace.seconds) <= set(STAGES)
    size = output["pixel_values"].numpy().nbytes
    assert trace.moved["layout"] >= 1.5 * size, "patches are read once and written twice over"
    assert set(COMPUTE) < set(STAGES)


def test_copies_of_torch_are_counted_and_views_are_not() -> None:
    torch = pytest.importorskip("torch")
    values = torch.zeros(1000)
    with traced(None, counting=True) as trace:
        trace.call("layout", lambda: values.reshape(10, 100).permute(1, 0))
        assert trace.moved == {}
        trace.call("layout", lambda: values.reshape(10, 100).permute(1, 0).contiguous())
    assert trace.moved == {"layout": 8000}
