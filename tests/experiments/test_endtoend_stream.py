"""The overlap harness keeps order, stays one ahead and passes errors on; a modelled device is arithmetic."""

from __future__ import annotations

import threading

import pytest

from experiments.endtoend.accelerators import ACCELERATORS, UTILISATIONS, Accelerator
from experiments.endtoend.flops import Work
from experiments.endtoend.stream import Served, in_turns, overlapped, throughput


def test_in_turns_prepares_nothing_ahead() -> None:
    happened: list[str] = []
    served = in_turns("ab", lambda r: happened.append(f"prepare {r}") or r, lambda r: happened.append(f"consume {r}"))
    assert happened == ["prepare a", "consume a", "prepare b", "consume b"]
    assert all(one.begun <= one.prepared <= one.answered for one in served)
    assert served[0].answered <= served[1].begun


def test_the_next_one_is_prepared_while_one_is_consumed() -> None:
    prepared = {request: threading.Event() for request in range(4)}
    threads = set()

    def prepare(request: int) -> int:
        threads.add(threading.current_thread().name)
        prepared[request].set()
        return request

    consumed: list[int] = []

    def consume(request: int) -> None:
        if request < 3:
            assert prepared[request + 1].wait(600), "the next one is prepared although this one is not done"
        consumed.append(request)
        if request < 2:
            assert not prepared[request + 2].is_set(), "one ahead, not two"

    served = overlapped(range(4), prepare, consume)
    assert consumed == [0, 1, 2, 3] and len(served) == 4
    assert len(threads) == 1 and threading.current_thread().name not in threads


def test_the_second_thread_begins_with_begin() -> None:
    happened: list[str] = []
    overlapped("a", lambda r: happened.append("prepare"), lambda r: None, begin=lambda: happened.append("begin"))
    assert happened == ["begin", "prepare"]
    assert overlapped("", lambda r: r, lambda r: None) == []


@pytest.mark.parametrize("serve", [in_turns, overlapped])
def test_errors_are_passed_on(serve) -> None:  # type: ignore[no-untyped-def]
    def prepare(request: str) -> str:
        if request == "b":
            raise OSError("a broken image")
        return request

    consumed: list[str] = []
    with pytest.raises(OSError, match="a broken image"):
        serve("abc", prepare, consumed.append)
    assert consumed == ["a"]


def test_rate_and_latency() -> None:
    served = [Served(0.0, 1.0, 3.0), Served(1.0, 2.0, 5.0), Served(3.0, 4.0, 7.0)]
    assert throughput(served) == 0.5
    assert [one.latency for one in served] == [3.0, 4.0, 4.0]
    with pytest.raises(ValueError, match="1 requests have no rate"):
        throughput(served[:1])


def test_a_modelled_step_takes_the_longer_of_computing_and_reading() -> None:
    device = Accelerator("some", flops=1000.0, bandwidth=10.0, link=5.0, source="")
    work = Work(vision=4000, language=100, vision_bytes=20, language_bytes=60)
    # 10 bytes over the link take 2 s, the vision tower computes for 10 s, the language model reads for 6 s.
    assert device.seconds(work, 10, 0.4) == pytest.approx(2.0 + 10.0 + 6.0)


def test_published_accelerators_are_in_order() -> None:
    peaks = [device.flops for device in ACCELERATORS.values()]
    assert peaks == sorted(peaks) and all(device.source for device in ACCELERATORS.values())
    assert all(1e14 < device.flops < 1e15 and device.link < device.bandwidth for device in ACCELERATORS.values())
    assert list(UTILISATIONS) == sorted(UTILISATIONS)
