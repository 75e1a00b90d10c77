"""Builds kernels: lowers, prints, writes the source into a private content-addressed cache, and loads it compiled.

A second process that needs the same kernel finds Numba's compiled code beside the source and compiles nothing.
"""

from __future__ import annotations

import errno
import fcntl
import gc
import hashlib
import importlib.util
import os
import stat
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from autosched.codegen.host import function, host_plan, identifier, plan_inputs, plan_outputs
from autosched.errors import AutoschedWarning, CacheError, CompileError
from autosched.lang.func import Pipeline
from autosched.lower.demands import Target
from autosched.lower.lower import Layout, Lowered, arguments, lower
from autosched.schedule.schedule import Schedule

_LOCK = threading.RLock()
#: Seconds that a process waits for another one to compile a kernel.
_LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Draft:
    """A kernel that is lowered but not compiled: `plan` says what a call needs, by the names it takes and gives."""

    lowered: Lowered
    plan: Callable[..., tuple[int, ...]]
    plan_inputs: tuple[str, ...]
    plan_outputs: tuple[str, ...]


@dataclass(frozen=True)
class Built(Draft):
    """A kernel in memory: `stages` in order, and the places of arguments."""

    slots: dict[str, int]
    stages: tuple[Callable[..., int], ...]
    path: Path


def argument_slots(lowered: Lowered) -> dict[str, int]:
    """The place of every argument of any stage in the array whose address stages take."""
    found: list[str] = []
    for stage in lowered.stages:
        found += [n for n in arguments(stage.body) if n not in found]
    return {name: i for i, name in enumerate(sorted(found))}


def source(lowered: Lowered) -> str:
    """The generated module."""
    from autosched.codegen.printer import print_kernel

    return print_kernel(lowered, argument_slots(lowered))


def draft(pipeline: Pipeline, schedule: Schedule, layout: Layout | None = None) -> Draft:
    """Lower, and nothing more."""
    lowered = lower(pipeline, schedule, layout)
    plan = function(host_plan(lowered), "plan", pipeline.name)
    return Draft(lowered, plan, tuple(plan_inputs(lowered)), tuple(plan_outputs(lowered)))


def build(pipeline: Pipeline, schedule: Schedule, layout: Layout | None = None) -> Built:
    """Lower, print, compile or load from the cache."""
    return finish(draft(pipeline, schedule, layout))


def finish(drafted: Draft) -> Built:
    """Print, compile or load from the cache."""
    lowered = drafted.lowered
    text = source(lowered)
    with _LOCK:
        module = _load(text)
    stages = tuple(getattr(module, f"stage_{identifier(s.func)}") for s in lowered.stages)
    assert module.__file__ is not None
    parts = {f.name: getattr(drafted, f.name) for f in fields(Draft)}
    return Built(**parts, slots=argument_slots(lowered), stages=stages, path=Path(module.__file__))


def target(excluded: frozenset[str] = frozenset()) -> Target:
    """What the CPU that Numba compiles for has instructions for."""
    from autosched.codegen.simd import target as cpu

    return Target(
        permutes=cpu.has_byte_permute(),
        blocks=cpu.has_block_permute(),
        words=cpu.has_word_permute(),
        quads=cpu.has_quads(),
        packs=cpu.has_packs(),
        excluded=excluded,
    )


@cache
def environment_key() -> str:
    """What besides its source decides the machine code of a kernel: versions, the CPU, and the operations' own code."""
    import llvmlite
    import numba

    from autosched import __version__
    from autosched.codegen.simd.target import features

    digest = hashlib.sha256()
    for part in (__version__, numba.__version__, llvmlite.__version__, sys.version, *sorted(features())):
        digest.update(part.encode())
    here = Path(__file__).parent
    for file in sorted([*here.glob("simd/*.py"), here / "compiler.py", here / "support.py"]):
        digest.update(file.read_bytes())
    return digest.hexdigest()


@cache
def cache_directory() -> Path:
    """The private directory of compiled kernels: AUTOSCHED_CACHE_DIR, or the user's cache directory.

    Raises CacheError where another user could write to it, since loading a kernel runs its code. Where it cannot be
    written, warns and uses a directory of this process only.
    """
    import platformdirs

    given = os.environ.get("AUTOSCHED_CACHE_DIR")
    path = Path(given) if given else Path(platformdirs.user_cache_dir("autosched"))
    path = path / "kernels"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = path / f".probe-{os.getpid()}-{threading.get_ident()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        made = Path(tempfile.mkdtemp(prefix="autosched-"))
        warnings.warn(
            f"the cache directory {path} cannot be written ({error.strerror}): every process compiles kernels anew; "
            "set AUTOSCHED_CACHE_DIR to a directory that you can write to",
            AutoschedWarning,
            stacklevel=2,
        )
        return made
    info = path.stat()
    if hasattr(os, "geteuid") and (info.st_uid != os.geteuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise CacheError(
            f"the cache directory {path} can be written by other users, who could run code as you; "
            f"run `chmod 700 {path}` as its owner, or set AUTOSCHED_CACHE_DIR to a directory of your own"
        )
    return path


def _load(text: str) -> ModuleType:
    from numba.core.errors import NumbaError

    key = hashlib.sha256((environment_key() + text).encode()).hexdigest()[:32]
    name = f"autosched_kernel_{key}"
    if name in sys.modules:
        return sys.modules[name]
    path = cache_directory() / f"{name}.py"
    if not path.exists() or path.read_text() != text:
        fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
        with os.fdopen(fd, "w") as file:
            file.write(text)
        Path(temporary).replace(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _alone(path), _uncollected():
            spec.loader.exec_module(module)
    except NumbaError as error:
        del sys.modules[name]
        raise CompileError(f"Numba cannot compile {path}, which is a bug of autosched: {error}") from error
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Processes that need the same kernel at the same time compile it once: the others wait for it, and load it."""
    with path.open() as file:
        end = time.monotonic() + _LONGEST_WAIT
        while not _locked(file) and time.monotonic() < end:
            time.sleep(0.02)
        yield  # closing the file gives the lock up


def _locked(file: IO[str]) -> bool:
    """Whether nobody else has the file's lock, which is taken then; file systems without locks do without."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True


@contextmanager
def _uncollected() -> Iterator[None]:
    """Compiling makes millions of objects, and each collection would look through all that a large process has."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def show(pipeline: Pipeline, schedule: Schedule, level: str) -> str:
    """The generated source, LLVM IR or assembly of a kernel for arrays of any strides."""
    lowered = lower(pipeline, schedule, Layout({}, {}, target()))
    if level == "source":
        return source(lowered)
    # compiled anew: what Numba loads from its cache has no LLVM code to look at
    module: dict[str, Any] = {}
    exec(compile(source(lowered).replace("cache=True", "cache=False"), "<kernel>", "exec"), module)
    parts: list[str] = []
    for stage in lowered.stages:
        dispatcher = module[f"stage_{identifier(stage.func)}"]
        texts = dispatcher.inspect_llvm() if level == "llvm" else dispatcher.inspect_asm()
        parts += texts.values()
    return "\n".join(parts)
