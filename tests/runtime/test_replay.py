"""Replays give the results of whole bindings, on any number of threads, and say what fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_template import INLINE, inputs, made

from autosched.codegen.printer import NO_MEMORY
from autosched.runtime import Kernel, Replay, address_of
from autosched.schedule import Schedule

BYTE = np.dtype(np.uint8)
SERIAL = Kernel(INLINE.pipeline, Schedule().vectorize("out", "x", 16))


@pytest.mark.parametrize("kernel", [INLINE, SERIAL], ids=["parallel", "serial"])
@given(
    seed=st.integers(0, 1 << 20),
    height=st.integers(3, 40),
    width=st.integers(1, 70),
    threads=st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_replayed_as_bound_whole(kernel: Kernel, seed: int, height: int, width: int, threads: int) -> None:
    first = inputs(seed, height, width)
    shape = (height - 2, width)
    replay = Replay(made(kernel, first), shape, BYTE, threads)
    outs = []
    for source in (first["source"], inputs(seed + 1, height, width)["source"]):
        outs.append(replay.run(address_of(source)))
        expected = kernel(shape=shape, source=source, weights=first["weights"], threads=1)
        np.testing.assert_array_equal(outs[-1], expected)
    assert not np.shares_memory(outs[0], outs[1])


def test_replays_of_many_threads_are_apart() -> None:
    first = inputs(0, 90, 300)
    replay = Replay(made(INLINE, first), (88, 300), BYTE, 2)

    def run(seed: int) -> bool:
        source = inputs(seed, 90, 300)["source"]
        expected = INLINE(shape=(88, 300), source=source, weights=first["weights"], threads=1)
        return all(np.array_equal(replay.run(address_of(source)), expected) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(run, range(8)))


@pytest.mark.parametrize("threads", [1, 3])
def test_what_fails_is_said(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    first = inputs(0, 40, 50)
    replay = Replay(made(INLINE, first), (38, 50), BYTE, threads)
    monkeypatch.setattr(replay, "_stages", [(0, lambda where: NO_MEMORY)])
    with pytest.raises(MemoryError, match="weighted: no memory for what is stored inside the loops of Func out"):
        replay.run(address_of(first["source"]))
