"""Builds kernels: lowers, prints, writes the source into a private content-addressed cache, and loads it compiled.

A second process that needs the same kernel finds its outline and Numba's compiled code there, and neither lowers nor
compiles anything.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import marshal
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import IO, Any, cast

from autosched.cache import cache_directory, keep, kept, key
from autosched.codegen.cache import environment_key, outlined
from autosched.codegen.host import identifier
from autosched.codegen.outline import Outline, outline
from autosched.errors import AutoschedError, AutoschedWarning, CompileError, ScheduleError
from autosched.files import write_whole
from autosched.lang.func import Pipeline
from autosched.lang.sizes import largest_inlined
from autosched.lower.demands import Exclusion, Target
from autosched.lower.lower import Layout, lower, verifying
from autosched.lower.translate import TooLargeError
from autosched.schedule.directives import ComputeAt, ComputeRoot, Directive
from autosched.schedule.schedule import Schedule
from autosched.signals import held_back

_LOCK = threading.RLock()
#: Levels below the loop nest that a kernel can be shown at.
LEVELS = ("source", "llvm", "asm")
#: Seconds that a process waits for another one to compile a kernel.
_LONGEST_WAIT = 60.0


@dataclass(frozen=True)
class Draft:
    """A kernel that is lowered but not compiled: `plan` says what a call needs."""

    pipeline: Pipeline
    outline: Outline
    plan: Callable[..., tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class Built(Draft):
    """A kernel in memory: `stages` in order, where the compiled code of each begins, and what `enter`s that."""

    stages: tuple[Callable[..., int], ...]
    path: Path
    addresses: tuple[int, ...]
    enter: Callable[[int, int, int, int], int]


def draft(pipeline: Pipeline, schedule: Schedule, layout: Layout | None = None) -> Draft:
    """Lower and print, or take what an earlier process kept of that; compile nothing.

    Where AUTOSCHED_VERIFY is set, everything is lowered, for that is when it is verified.
    """
    layout = layout or Layout({}, {})

    def make() -> Outline:
        return outline(lower(pipeline, schedule, layout))

    with _way_out_of_size(pipeline, schedule):
        kernel = make() if verifying() else outlined(pipeline, schedule, layout, make)
        return Draft(pipeline, kernel, kernel.plan.compiled(pipeline.name))


@contextmanager
def _way_out_of_size(pipeline: Pipeline, schedule: Schedule) -> Iterator[None]:
    """A CompileError with a way out, where expressions are larger, or nested more deeply, than Python can have them."""
    try:
        yield
    except (RecursionError, SyntaxError, TooLargeError) as error:
        inlined = {f.name for f in pipeline.funcs if not any(map(_computes, schedule.funcs.get(f.name, ())))}
        largest = largest_inlined(pipeline, inlined)
        way = f"compute Func {largest}, compute_root({largest!r})" if largest else "put parts of them into Funcs"
        raise CompileError(
            f"expressions of {pipeline.name} are too large, or nested too deeply, for a kernel; {way}"
        ) from error


def _computes(directive: Directive) -> bool:
    return isinstance(directive, (ComputeRoot, ComputeAt))


def build(pipeline: Pipeline, schedule: Schedule, layout: Layout | None = None) -> Built:
    """Lower, print, compile or load from the cache."""
    return finish(draft(pipeline, schedule, layout))


def finish(drafted: Draft) -> Built:
    """Compile or load from the cache."""
    with _LOCK:
        module = _load(drafted.outline.source)
        with compiling():
            from autosched.codegen.entry import run_stage  # compiled or loaded: not before it is needed
        stages = tuple(getattr(module, f"stage_{identifier(s.func)}") for s in drafted.outline.stages)
        addresses = tuple(map(stage_address, stages))
    assert module.__file__ is not None
    return Built(
        drafted.pipeline,
        drafted.outline,
        drafted.plan,
        stages=stages,
        path=Path(module.__file__),
        addresses=addresses,
        enter=run_stage,
    )


def stage_address(stage: Any) -> int:
    """Where the code begins that Numba has made of a function with one signature."""
    (compiled,) = stage.overloads.values()
    address: int = compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)
    return address


def target(excluded: frozenset[Exclusion] = frozenset()) -> Target:
    """The CPU that Numba compiles for, without what the arrays of a call exclude."""
    from autosched.codegen.simd import target as cpu

    return Target(
        permutes=cpu.has_byte_permute(),
        shuffles=cpu.has_block_permute(),
        words=cpu.has_word_permute(),
        quads=cpu.has_quads(),
        narrows=cpu.has_packs(),
        excluded=excluded,
    )


def _load(text: str) -> ModuleType:
    """The module of a kernel's source, made once; raises CompileError where it cannot be, and leaves nothing behind."""
    from autosched.codegen.stored import KERNEL

    name = f"{KERNEL}{key(environment_key(), text)}"
    if name in sys.modules:
        return sys.modules[name]
    path = cache_directory() / f"{name}.py"
    module = ModuleType(name)
    module.__file__ = str(path)
    with _alone(path), compiling():
        sys.modules[name] = module  # where unpickled functions look for it
        try:
            exec(_bytecode(text, path), module.__dict__)
        except BaseException as error:
            del sys.modules[name]
            if not isinstance(error, Exception) or isinstance(error, (AutoschedError, AutoschedWarning, MemoryError)):
                raise
            raise CompileError(
                f"Numba cannot compile {path}, which is a bug of autosched: {type(error).__name__}: {error}"
            ) from error
    return module


def _bytecode(text: str, path: Path) -> CodeType:
    """The source compiled for Python, which takes longer than to load it; the text itself is kept for readers."""
    place = path.with_suffix(".bytecode")
    body = kept(place)
    if body is not None:
        return cast("CodeType", marshal.loads(body))
    code = compile(text, str(path), "exec")
    with contextlib.suppress(OSError):  # said by what follows
        write_whole(path, text.encode())
    keep(place, marshal.dumps(code))
    return code


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Processes that need the same kernel at the same time compile it once: the others wait for it, and load it.

    The lock is a file beside the kernel's, which itself is replaced where somebody else has written it.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a directory that cannot be written has no locks, and needs none
            file = stack.enter_context(path.with_suffix(".lock").open("w"))
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
def compiling() -> Iterator[None]:
    """What is compiled inside is compiled whole, before a signal's handler runs and before the process forks."""
    with _LOCK, held_back(), _uncollected():
        yield


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
    """The generated source, LLVM IR or assembly of the kernel for C-contiguous arrays."""
    with _way_out_of_size(pipeline, schedule):
        made = outline(lower(pipeline, schedule, Layout(_contiguous(pipeline), {}, target())))
    return shown(made, level)


def shown(of: Outline, level: str) -> str:
    """The generated source of a kernel, or the LLVM IR or assembly of its stages."""
    if level not in LEVELS:
        raise ScheduleError(f"show level {level!r} is not one of {', '.join(LEVELS)}")
    if level == "source":
        return of.readable
    # compiled anew: what Numba loads from its cache has no LLVM code to look at
    module: dict[str, Any] = {}
    with compiling():
        exec(compile(of.source.replace("cache=True", "cache=False"), "<kernel>", "exec"), module)
    parts: list[str] = []
    for stage in of.stages:
        dispatcher = module[f"stage_{identifier(stage.func)}"]
        texts = dispatcher.inspect_llvm() if level == "llvm" else dispatcher.inspect_asm()
        parts += texts.values()
    return "\n".join(parts)


def _contiguous(pipeline: Pipeline) -> dict[str, dict[int, int]]:
    """The byte strides of C-contiguous arrays, as far as types and promised extents say."""
    strides = {name: {source.ndim - 1: source.type.bytes} for name, source in pipeline.inputs.items()}
    output, step = pipeline.output, pipeline.output.type.bytes
    strides[output.name] = {}
    for dim in reversed(range(output.ndim)):
        strides[output.name][dim] = step
        promised = output.bounds.get(output.args[dim].name)
        if promised is None:
            break
        step *= promised
    return strides


_held: list[Any] = []


def _hold() -> None:
    """Before a fork: no other thread is in the middle of compiling, for in the child it would never get to the end."""
    locks: list[Any] = [_LOCK]
    if "numba" in sys.modules:
        from llvmlite.binding import ffi
        from numba.core.compiler_lock import global_compiler_lock

        locks += [global_compiler_lock._lock, ffi.lib._lock._lock]
    _held.extend(lock for lock in locks if lock.acquire(timeout=_LONGEST_WAIT))


def _let_go() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)
