"""Kernels: what they refuse to bind, strides, threads, memory, and the private cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernels import same

from autosched import cache
from autosched.errors import BindError, CacheError, ScheduleError
from autosched.lang import (
    Func,
    Input,
    Param,
    Pipeline,
    RDom,
    Var,
    cast,
    clamp,
    f32,
    i32,
    i64,
    interpret,
    sum_over,
    u8,
    u16,
    variables,
)  # fmt: skip
from autosched.runtime import Kernel, default_threads, threads
from autosched.runtime import kernel as kernel_module
from autosched.schedule import Schedule

SOURCE = np.random.default_rng(1).integers(0, 256, (9, 23), dtype=np.uint8)


def blur() -> Pipeline:
    """A blur of three pixels with a weight, whose output has 4 columns at most a multiple of nothing."""
    y, x = variables("y x")
    image, weight, blurred = Input("image", u8, 2), Param("weight", i32), Func("blurred")
    r = RDom(k=3)
    blurred[y, x] = cast(u16, sum_over(r, cast(i32, image[y, clamp(x + r.k - 1, 0, image.extent(1) - 1)])) * weight)
    return Pipeline(blurred)


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return Kernel(blur(), Schedule().parallel("blurred", "y").vectorize("blurred", "x", 8))


OUT = np.empty((9, 23), np.uint16)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"out": OUT, "image": SOURCE}, "blurred: missing weight; it takes image, weight"),
        ({"out": OUT, "image": SOURCE, "weight": 1, "img": 1}, "blurred: unknown img; it takes image, weight"),
        ({"image": SOURCE, "weight": 1}, "give either out, an array, or shape"),
        ({"out": OUT, "shape": (9, 23), "image": SOURCE, "weight": 1}, "give either out, an array, or shape"),
        ({"out": OUT, "image": SOURCE.astype(np.int8), "weight": 1}, "image has dtype int8, expected uint8"),
        ({"out": OUT, "image": SOURCE[0], "weight": 1}, r"image has 1 dimensions \(23,\), expected 2"),
        ({"out": OUT, "image": SOURCE.tolist(), "weight": 1}, "image must be a numpy array, not list"),
        ({"out": OUT.astype(np.uint8), "image": SOURCE, "weight": 1}, "blurred has dtype uint8, expected uint16"),
        ({"out": OUT[0], "image": SOURCE, "weight": 1}, r"blurred has 1 dimensions \(23,\), expected 2"),
        ({"out": OUT, "image": SOURCE[:8], "weight": 1}, r"reads image at 0\.\.8 in dimension 0, which has 8 elements"),
        ({"out": OUT, "image": SOURCE, "weight": 1.5}, "param weight is 1.5, expected i32"),
        ({"out": OUT, "image": SOURCE, "weight": True}, "param weight is True, expected i32"),
        ({"out": OUT, "image": SOURCE, "weight": "1"}, "param weight is '1', expected i32"),
        ({"out": OUT, "image": SOURCE, "weight": 1 << 31}, "param weight is 2147483648, which does not fit i32"),
    ],
)  # fmt: skip
def test_bind_errors(kernel: Kernel, given: dict[str, Any], message: str) -> None:
    with pytest.raises(BindError, match=message):
        kernel.bind(**given)


def test_read_only_outputs_and_promised_extents(kernel: Kernel) -> None:
    fixed = OUT.copy()
    fixed.flags.writeable = False
    with pytest.raises(BindError, match="out, the array of blurred, is read-only"):
        kernel.bind(out=fixed, image=SOURCE, weight=1)
    y, x = variables("y x")
    f = Func("f")
    f[y, x] = y + x
    f.bound(x, 3)
    with pytest.raises(BindError, match=r"extent 4 in dimension 1 \(x\); f is bound to 3"):
        Kernel(Pipeline(f)).bind(shape=(2, 4))
    assert Kernel(Pipeline(f))(shape=(2, 3)).tolist() == [[0, 1, 2], [1, 2, 3]]


def test_outputs_that_are_inputs_are_refused() -> None:
    x, f, source = Var("x"), Func("f"), Input("source", u8, 1)
    f[x] = source[x] + source[x + 1]
    kernel = Kernel(Pipeline(f))
    data = np.arange(20, dtype=np.uint8)
    with pytest.raises(BindError, match="out, the array of f, shares memory with source"):
        kernel(out=data[1:9], source=data[:9])
    assert kernel(out=data[1:18:2], source=data[::2]).tolist() == list(range(2, 38, 4))


def test_byte_order_is_part_of_the_type(kernel: Kernel) -> None:
    with pytest.raises(BindError, match="has dtype >u2"):
        kernel.bind(out=OUT.astype(">u2"), image=SOURCE, weight=1)


def test_a_table_without_elements() -> None:
    """What is read of it is refused before anything is looked up in it, whichever way lanes read."""
    x, f = Var("x"), Func("f")
    source, begin = Input("source", u8, 1), Input("begin", i32, 1, monotone=True, bounds=(0, 9))
    f[x] = source[begin[x]]
    data, none = np.arange(10, dtype=np.uint8), np.empty(0, np.int32)
    for loads in ("pick", "permute64"):
        kernel = Kernel(Pipeline(f), Schedule().vectorize("f", "x", 16).loads("f", "source", loads))
        with pytest.raises(BindError, match=r"reads (table )?begin at .*, which has 0 elements"):
            kernel(shape=(4,), source=data, begin=none)
        assert kernel(shape=(0,), source=data, begin=none).size == 0


def test_tables_keep_what_they_declare() -> None:
    x, f = Var("x"), Func("f")
    source, begin = Input("source", u8, 1), Input("begin", i64, 1, monotone=True, bounds=(0, 9))
    f[x] = source[begin[x]]
    kernel = Kernel(Pipeline(f))
    data = np.arange(10, dtype=np.uint8)
    assert kernel(shape=(3,), source=data, begin=np.array([0, 4, 9])).tolist() == [0, 4, 9]
    with pytest.raises(BindError, match="begin is declared monotone, but element 2 is less than element 1"):
        kernel(shape=(3,), source=data, begin=np.array([0, 4, 3]))
    with pytest.raises(BindError, match=r"begin is declared to hold 0\.\.9, but it holds 0\.\.10"):
        kernel(shape=(2,), source=data, begin=np.array([0, 4, 10]))
    with pytest.raises(BindError, match=r"reads (table )?begin at"):
        kernel(shape=(4,), source=data, begin=np.array([0, 4, 9]))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
def test_nothing_to_compute(kernel: Kernel, shape: tuple[int, int]) -> None:
    assert kernel(shape=shape, image=SOURCE, weight=1).shape == shape


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("view", [np.s_[:, :], np.s_[::-1, ::-1], np.s_[::2, 1::3]])
def test_strides(kernel: Kernel, order: Any, view: Any) -> None:
    big = np.asarray(np.random.default_rng(2).integers(0, 256, (20, 40), dtype=np.uint8), order=order)
    image = big[view]
    out = np.zeros((40, 90), np.uint16, order=order)[::2, ::-2][: image.shape[0], : image.shape[1]]
    kernel(out=out, image=image, weight=3)
    assert same(out, interpret(kernel.pipeline, image.shape, {"image": image}, {"weight": 3}))


def test_broadcast_inputs(kernel: Kernel) -> None:
    image = np.broadcast_to(SOURCE[:1], (9, 23))
    result = kernel(shape=(9, 23), image=image, weight=2)
    assert same(result, interpret(kernel.pipeline, (9, 23), {"image": image}, {"weight": 2}))


def test_many_threads_call_one_kernel(kernel: Kernel) -> None:
    images = np.random.default_rng(3).integers(0, 256, (8, 40, 64), dtype=np.uint8)
    expected = [interpret(kernel.pipeline, (40, 64), {"image": i}, {"weight": 5}) for i in images]
    wrong: list[int] = []

    def call(n: int) -> None:
        for _ in range(30):
            right = same(kernel(shape=(40, 64), threads=3, image=images[n], weight=5), expected[n])
            wrong.extend([] if right else [n])

    callers = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_no_more_threads_than_told() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def task() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.002)
        with lock:
            running -= 1

    for allowed in range(1, 4):
        most = 0
        threads.run_tasks([task] * 30, allowed)
        assert most <= allowed
        assert running == 0


def test_the_first_error_is_raised_and_all_threads_are_done() -> None:
    def fails() -> None:
        raise ValueError("the third")

    done: list[int] = []
    with pytest.raises(ValueError, match="the third"):
        threads.run_tasks([lambda: done.append(1), lambda: done.append(2), fails, *[lambda: time.sleep(0.001)] * 50], 2)


@pytest.mark.parametrize("given", [0, -1, True, 2.0])
def test_threads_must_be_positive(kernel: Kernel, given: Any) -> None:
    with pytest.raises(BindError, match=f"threads is {given}; it must be .*at least 1"):
        kernel(shape=(9, 23), threads=given, image=SOURCE, weight=1)


@pytest.mark.parametrize("given", ["0", "-2", "many", "", "²"])
def test_the_environment_says_how_many_threads(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSCHED_NUM_THREADS", "3")
    assert default_threads() == 3
    monkeypatch.setenv("AUTOSCHED_NUM_THREADS", given)
    with pytest.raises(BindError, match="AUTOSCHED_NUM_THREADS"):
        default_threads()


FORK = """
import os, threading, numpy as np
from autosched.lang import *
from autosched.runtime import Kernel
from autosched.schedule import Schedule
y, x = variables("y x")
f = Func("f"); f[y, x] = y * 1000 + x
kernel = Kernel(Pipeline(f), Schedule().parallel("f", "y"))
expected = kernel(shape=(64, 64), threads=3)
child = os.fork()
right = np.array_equal(kernel(shape=(64, 64), threads=3), expected)
helpers = sum(t.name.startswith("autosched") for t in threading.enumerate())
if child == 0:
    os._exit(0 if right and helpers <= 2 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and right and helpers <= 2
"""


@pytest.mark.parametrize("step", ["draft", "finish"])
def test_a_handler_of_a_signal_computes_meanwhile(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in the middle of a call of the same kernel, which has one variant all the same."""
    kernel, usual = Kernel(blur(), Schedule().vectorize("blurred", "x", 4)), getattr(kernel_module, step)
    found: list[np.ndarray[Any, Any]] = []

    def call() -> None:
        found.append(kernel(shape=SOURCE.shape, image=SOURCE, weight=3))

    def interrupted(*args: Any) -> Any:
        if interrupts:
            interrupts.pop()
            call()
            variants.extend(kernel._variants.values())
        return usual(*args)

    interrupts, variants = [1], []
    monkeypatch.setattr(kernel_module, step, interrupted)
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(60)
    assert len(found) == 2 and same(*found)
    assert list(kernel._variants.values()) == variants


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_have_their_own_threads() -> None:
    subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK], check=True, timeout=120)


def test_a_fold_factor_that_is_too_small() -> None:
    x, f, g = Var("x"), Func("f"), Func("g")
    f[x] = cast(f32, x)
    g[x] = f[x] + f[x + 5]

    def folded(factor: int) -> Kernel:
        return Kernel(Pipeline(g), Schedule().compute_at("f", "g", "x").store_root("f").fold_storage("f", "x", factor))

    with pytest.raises(ScheduleError, match=r"fold_storage\('x', 4\) of Func f: the sliding window does not fit"):
        folded(4)(shape=(9,))
    for factor in (0, 6, 7, 8):
        assert folded(factor)(shape=(9,)).tolist() == [2.0 * n + 5 for n in range(9)]


def test_no_memory_is_an_error() -> None:
    x, f, g, p = Var("x"), Func("f"), Func("g"), Param("p", i64)
    f[x] = cast(u8, x)
    g[x] = f[x] + f[x + p]
    for schedule in (Schedule().compute_at("f", "g", "x"), Schedule().compute_root("f")):
        kernel = Kernel(Pipeline(g), schedule)
        assert kernel(shape=(3,), p=1).tolist() == [1, 3, 5]
        for huge in (1 << 60, 1 << 62):
            with pytest.raises(MemoryError, match="g: no memory for"):
                kernel(shape=(3,), p=huge)


# the cache of compiled kernels

RUN = """
import json, numpy as np
from autosched.lang import *
from autosched.runtime import Kernel
from autosched.schedule import Schedule
x = Var("x")
a, f, g = Input("a", u8, 1), Func("f"), Func("g")
f[x] = a[clamp(x, 0, 9)] * 3
g[x] = f[x] + f[x + 1]
schedule = Schedule().compute_at("f", "g", "xo").split("g", "x", "xo", "xi", 4).vectorize("g", "xi", 4)
kernel = Kernel(Pipeline(g), schedule)
result = kernel(shape=(8,), a=np.arange(10, dtype=np.uint8)).tolist()
stages = [s for built in kernel._variants.values() for s in built.stages]
print(json.dumps([result, sum(sum(s.stats.cache_hits.values()) for s in stages),
                  sum(sum(s.stats.cache_misses.values()) for s in stages)]))
"""


def run(directory: Path) -> tuple[list[Any], str]:
    environment = {**os.environ, "AUTOSCHED_CACHE_DIR": str(directory)}
    done = subprocess.run(
        [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout), done.stderr


def test_a_second_process_compiles_nothing(tmp_path: Path) -> None:
    (first, *compiled), _ = run(tmp_path)
    assert compiled == [0, 1]
    (second, *loaded), _ = run(tmp_path)
    assert loaded == [1, 0]
    assert first == second == [3, 9, 15, 21, 27, 33, 39, 45]


def test_the_cache_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSCHED_CACHE_DIR", str(tmp_path / "new"))
    cache.cache_directory.cache_clear()
    made = cache.cache_directory()
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o770)
    cache.cache_directory.cache_clear()
    with pytest.raises(CacheError, match=r"can be written by other users.*chmod 700"):
        cache.cache_directory()
    monkeypatch.undo()
    cache.cache_directory.cache_clear()


def test_an_unwritable_cache_warns_and_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AUTOSCHED_CACHE_DIR", str(tmp_path / "file"))
    cache.cache_directory.cache_clear()
    x, f = Var("x"), Func("f")
    f[x] = x * 7 + 12345
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert Kernel(Pipeline(f))(shape=(2,)).tolist() == [12345, 12352]
    assert any("cannot be written" in str(w.message) and "AUTOSCHED_CACHE_DIR" in str(w.message) for w in seen)
    monkeypatch.undo()
    cache.cache_directory.cache_clear()
