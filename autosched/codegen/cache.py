"""The private directory of what is compiled, and the keys under which it is found again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path

from autosched.codegen.outline import Outline
from autosched.errors import AutoschedWarning, CacheError
from autosched.files import write_whole
from autosched.lang.fingerprint import fingerprint
from autosched.lang.func import Pipeline
from autosched.lower.lower import Layout
from autosched.schedule.schedule import Schedule

_PACKAGE = Path(__file__).parents[1]
#: Where the code is that decides what a pipeline is lowered to, and its source.
_COMPILER = ("lang", "schedule", "lower", "codegen")


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


@cache
def environment_key() -> str:
    """What besides its source decides the machine code of a kernel: versions, the CPU, and the operations' own code."""
    import llvmlite
    import numba

    from autosched import __version__
    from autosched.codegen.simd.target import features

    here = _PACKAGE / "codegen"
    files = [*here.glob("simd/*.py"), here / "compiler.py", here / "support.py"]
    return _digest((__version__, numba.__version__, llvmlite.__version__, sys.version, *sorted(features())), files)


@cache
def compiler_key() -> str:
    """What besides pipeline, schedule and layout decides how a kernel is lowered and printed: the compiler's code."""
    return _digest((), (file for part in _COMPILER for file in (_PACKAGE / part).rglob("*.py")))


def _digest(words: Iterable[str], files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for word in words:
        digest.update(word.encode())
    for file in sorted(files):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def outlined(pipeline: Pipeline, schedule: Schedule, layout: Layout, make: Callable[[], Outline]) -> Outline:
    """The outline of a kernel that an earlier process kept, or what `make` makes, which is kept from now on."""
    path = cache_directory() / f"autosched_outline_{_outline_key(pipeline, schedule, layout)}.json"
    try:
        return Outline.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # not there, or not whole
        made = make()
        with contextlib.suppress(OSError):  # a full disk: the next process lowers too
            write_whole(path, made.to_json().encode())
        return made


def _outline_key(pipeline: Pipeline, schedule: Schedule, layout: Layout) -> str:
    strides = {name: sorted(of.items()) for name, of in sorted(layout.strides.items())}
    target = {**asdict(layout.target), "excluded": sorted(layout.target.excluded)}
    what = [pipeline.name, schedule.to_data(), strides, sorted(layout.params.items()), target]
    return key(environment_key(), compiler_key(), fingerprint(pipeline), json.dumps(what))


def key(*parts: str) -> str:
    """A name of 32 hexadecimal digits for all that decides what is in a file."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
