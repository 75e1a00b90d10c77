"""The pool gives memory again only when nobody uses it, within its limit, and never across a fork."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from autosched.errors import ArgumentError
from autosched.runtime import pool

LARGE = (3 * pool.HUGE_PAGE // 4,)  # of float32: 6 MiB


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    pool.clear()
    yield
    pool.clear()
    pool.pool_limit.cache_clear()


def limit(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("AUTOSCHED_POOL_BYTES", given)
    pool.pool_limit.cache_clear()


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    a = pool.empty(LARGE, np.float32)
    address = a.ctypes.data
    view = a[10:20].view(np.uint8)
    del a
    b = pool.empty(LARGE, np.float32)
    assert b.ctypes.data != address
    del view
    c = pool.empty(LARGE, np.float32)
    assert c.ctypes.data == address


def test_a_tensor_keeps_its_memory() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(pool.empty(LARGE, np.float32)).reshape(-1, 2)
    tensor.fill_(3)
    other = pool.empty(LARGE, np.float32)
    other[:] = 5
    assert bool((tensor == 3).all())


def test_arrays_are_like_those_of_numpy() -> None:
    a = pool.empty((3, 512, 1024), np.float64)
    assert a.shape == (3, 512, 1024) and a.dtype == np.float64
    assert a.flags.c_contiguous and a.flags.writeable and a.flags.aligned
    assert a.ctypes.data % pool.HUGE_PAGE == 0
    a[...] = 7
    assert (a == 7).all()


def test_small_arrays_are_not_pooled() -> None:
    a = pool.empty((16,), np.float32)
    assert a.base is None
    del a
    assert pool.waiting_bytes() == 0


def test_much_larger_memory_is_not_used_and_makes_room() -> None:
    a = pool.empty(LARGE, np.float32)
    del a
    assert pool.waiting_bytes() == 6 << 20
    b = pool.empty((pool.HUGE_PAGE // 4,), np.float32)  # a third of what waits
    assert pool.waiting_bytes() == 0
    del b
    assert pool.waiting_bytes() == 2 << 20


def test_the_limit_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, str(7 << 20))
    arrays = [pool.empty(LARGE, np.float32) for _ in range(3)]
    del arrays
    assert pool.waiting_bytes() == 6 << 20
    limit(monkeypatch, "0")
    assert pool.empty(LARGE, np.float32).base is None
    assert pool.waiting_bytes() == 0


def test_a_limit_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    limit(monkeypatch, "1G")
    with pytest.raises(ArgumentError, match="AUTOSCHED_POOL_BYTES is '1G'; it must be a number of bytes"):
        pool.empty(LARGE, np.float32)


def test_no_memory_is_an_error_of_memory() -> None:
    with pytest.raises(MemoryError, match="no memory for an array of"):
        pool.empty((1 << 60,), np.uint8)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_has_its_own_pool() -> None:
    a = pool.empty(LARGE, np.float32)
    a[:] = 1
    b = pool.empty(LARGE, np.float32)
    del b
    child = os.fork()
    if child == 0:
        own = pool.empty(LARGE, np.float32)
        own[:] = 2
        good = pool.waiting_bytes() == 0 and bool((a == 1).all())
        del a
        good = good and pool.waiting_bytes() == 0
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (a == 1).all()


def test_many_threads_never_share_memory() -> None:
    wrong: list[int] = []

    def work(mark: int) -> None:
        for _ in range(30):
            a = pool.empty(LARGE, np.uint8 if mark % 2 else np.float32)
            a[:: 1 << 14] = mark
            b = pool.empty(LARGE, np.float32)
            b[:: 1 << 14] = -1
            if not (a[:: 1 << 14] == mark).all():
                wrong.append(mark)
            del a, b
        gc.collect()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(1, 7)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_what_waits_is_marked_as_free_and_what_is_used_again_at_once_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    freed: list[int] = []
    monkeypatch.setattr(
        pool._Block, "_advise", lambda block, name: freed.append(block.size) if name != "MADV_HUGEPAGE" else None
    )
    a = pool.empty(LARGE, np.float32)
    del a
    for _ in range(3):
        again = pool.empty(LARGE, np.float32)
        assert freed == []
        del again
    other = pool.empty((10 * LARGE[0],), np.float32)  # takes no block that waits
    del other
    assert pool.waiting_bytes() > 0
    assert freed.count(10 * LARGE[0] * 4) == 1
    pool.waiting_bytes()
    assert len(freed) <= 2  # each once


def test_a_handler_of_a_signal_needs_memory_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in the middle of a change of what waits, has memory of its own, and changes nothing there."""
    a = pool.empty(LARGE, np.float32)
    del a
    assert pool.waiting_bytes()  # it is among what waits, not what came back last
    usual, made = pool._fitting, []

    def interrupted(size: int) -> pool._Block | None:
        if not made:
            made.append(pool.empty(LARGE, np.float32))
            pool.clear()
            assert pool.waiting_bytes() == size
        return usual(size)

    monkeypatch.setattr(pool, "_fitting", interrupted)
    thread = threading.Thread(target=lambda: made.append(pool.empty(LARGE, np.float32)), daemon=True)
    thread.start()
    thread.join(60)
    assert len(made) == 2 and not np.shares_memory(*made)
