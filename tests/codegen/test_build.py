"""Kernels are compiled once, kept whole or not at all, and the disk is never needed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autosched import cache, compiled
from autosched.codegen import build, stored
from autosched.codegen.compiler import KernelCompiler as Compiler
from autosched.errors import AutoschedWarning, CompileError
from autosched.lang import Func, Input, Pipeline, i32, variables
from autosched.runtime import Kernel
from autosched.schedule import Schedule

CODE = """
import sys, time
from autosched import Func, Input, Pipeline, Schedule
from autosched.codegen.build import build
from autosched.lang import f32, variables

y, x = variables("y x")
source, out = Input("source", f32, 2), Func("out")
out[y, x] = source[y, x] * 1.5
print("ready", flush=True)
sys.stdin.readline()
(stage,) = build(Pipeline(out, "compiled_once"), Schedule().vectorize("out", "x", 16)).stages
print(sum(stage.stats.cache_misses.values()), sum(stage.stats.cache_hits.values()))
"""


def test_a_kernel_is_compiled_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CODE],
            env={**os.environ, "AUTOSCHED_CACHE_DIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate()[0].split() for process in processes)
    assert said == [["0", "1"], ["1", "0"]]


IMAGE = np.arange(60, dtype=np.int32).reshape(3, 20)


def tripled() -> Kernel:
    """A kernel that begins as in another process: nothing is in memory of it."""
    y, x = variables("y x")
    source, out = Input("source", i32, 2), Func("out")
    out[y, x] = source[y, x] * 3
    for name in [name for name in sys.modules if name.startswith(stored.KERNEL)]:
        del sys.modules[name]
    return Kernel(Pipeline(out, "tripled"), Schedule().vectorize("out", "x", 8))


def compilations(kernel: Kernel) -> int:
    """How many stages had to be compiled; the results are checked."""
    assert np.array_equal(kernel(shape=IMAGE.shape, source=IMAGE), IMAGE * 3)
    return sum(sum(s.stats.cache_misses.values()) for b in kernel._variants.values() for s in b.stages)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of kernels."""
    monkeypatch.setenv("AUTOSCHED_CACHE_DIR", str(tmp_path))
    cache.cache_directory.cache_clear()
    yield tmp_path / "kernels"
    monkeypatch.undo()
    cache.cache_directory.cache_clear()


def flipped(data: bytes) -> bytes:
    """One bit in the middle is another one."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


BROKEN: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "another": lambda data: b"\xff\xfe" * 200,
    "flipped": flipped,
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("kind", ["py", "bytecode", "code", "json"])
def test_a_broken_cache_is_made_anew(directory: Path, kind: str, how: str) -> None:
    assert compilations(tripled()) == 1
    files = list(directory.glob(f"*.{kind}"))
    assert files
    for file in files:
        file.write_bytes(BROKEN[how](file.read_bytes()))
    assert compilations(tripled()) == (kind == "code")
    assert compilations(tripled()) == 0


def test_a_full_disk_costs_only_time(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for module in (build, cache):
        monkeypatch.setattr(module, "write_whole", full)
    with pytest.warns(AutoschedWarning, match=r"kernels cannot be written \(No space left.*free space") as seen:
        assert compilations(tripled()) == 1
    assert [Path(w.filename).name for w in seen] == ["test_build.py"]
    assert compilations(tripled()) == 1  # and nothing is said again


def test_a_directory_that_cannot_be_written_is_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert compilations(tripled()) == 1
    usual = Path.open

    def read_only(path: Path, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "w" in mode:
            raise OSError(errno.EROFS, "Read-only file system")
        return usual(path, mode, *args, **kwargs)

    def refused(path: Path, data: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    cache.cache_directory.cache_clear()
    monkeypatch.setattr(Path, "open", read_only)
    for module in (build, cache):
        monkeypatch.setattr(module, "write_whole", refused)
    assert compilations(tripled()) == 0


def test_what_cannot_be_compiled_leaves_nothing(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("generator raised StopIteration")

    monkeypatch.setattr(compiled.Stored, "load_overload", broken)
    kernel = tripled()
    with pytest.raises(CompileError, match=r"Numba cannot compile .*RuntimeError: generator raised"):
        compilations(kernel)
    assert not [name for name in sys.modules if name.startswith(stored.KERNEL)]
    monkeypatch.undo()
    assert compilations(kernel) == 1


def test_an_interrupt_waits_for_a_kernel(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba does not bear one: what it leaves half-made breaks later kernels."""
    usual = compiled.Stored.save_overload
    done = []

    def interrupted(self: compiled.Stored, *args: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        usual(self, *args)
        done.append(1)

    monkeypatch.setattr(compiled.Stored, "save_overload", interrupted)
    kernel = tripled()
    with pytest.raises(KeyboardInterrupt):
        compilations(kernel)
    assert done == [1]
    monkeypatch.undo()
    assert compilations(kernel) == 1 and signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_of_a_process_that_compiles(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has all that it needs to compile, another kernel and the same one."""
    kernel, begun, usual = tripled(), threading.Event(), Compiler.define_pipelines

    def slow(self: Compiler) -> Any:
        begun.set()
        time.sleep(0.3)  # holding the locks of this package, and Numba's
        return usual(self)

    monkeypatch.setattr(Compiler, "define_pipelines", slow)
    thread = threading.Thread(target=compilations, args=(kernel,))
    thread.start()
    assert begun.wait(60)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        os._exit(compilations(kernel) + compilations(tripled()) - 1)
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
