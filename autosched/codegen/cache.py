"""The private directory of what is compiled, and the keys under which it is found again."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
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


#: Where no file is, or can be made.
_NOWHERE = Path(os.devnull) / "kernels"
#: Directories that the user knows to be unwritable.
_told: set[Path] = set()


@cache
def cache_directory() -> Path:
    """The private directory of compiled kernels: AUTOSCHED_CACHE_DIR, or the user's cache directory.

    It is read where it cannot be written, too. Raises CacheError where another user could write to it, since loading a
    kernel runs its code. Where there is none and none can be made, warns and gives a place where nothing is.
    """
    import platformdirs

    given = os.environ.get("AUTOSCHED_CACHE_DIR")
    path = Path(given) if given else Path(platformdirs.user_cache_dir("autosched"))
    path = path / "kernels"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.stat()
    except OSError as error:
        _warn(path, str(error.strerror))
        return _NOWHERE
    if not hasattr(os, "geteuid"):
        return path
    if info.st_uid in (os.geteuid(), 0) and not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return path
    if not os.access(path, os.W_OK):
        _warn(path, "it is another user's")
        return _NOWHERE
    raise CacheError(
        f"the cache directory {path} can be written by other users, who could run code as you; "
        f"run `chmod 700 {path}` as its owner, or set AUTOSCHED_CACHE_DIR to a directory of your own"
    )


def keep(path: Path, body: bytes) -> None:
    """Write a file of the cache, with a digest; warns, once, where that cannot be."""
    try:
        write_whole(path, hashlib.sha256(body).digest() + body)
    except OSError as error:
        _warn(path.parent, str(error.strerror))


def kept(path: Path) -> bytes | None:
    """What `keep` has written; None where that is not there, or not whole."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    body = data[size:]
    return body if hashlib.sha256(body).digest() == data[:size] else None


def _warn(directory: Path, reason: str) -> None:
    """Say once that kernels are not kept, at the line outside of this package that has called it."""
    if directory == _NOWHERE or directory in _told:
        return
    _told.add(directory)
    frame, level, found = sys._getframe(1), 2, 2
    while frame is not None:
        if frame.f_code.co_filename.startswith(f"{_PACKAGE}{os.sep}"):
            found = level
        frame, level = frame.f_back, level + 1  # type: ignore[assignment]
    warnings.warn(
        f"the cache directory {directory} cannot be written ({reason}): every process compiles kernels anew; "
        "free space there, or set AUTOSCHED_CACHE_DIR to a directory that you can write to",
        AutoschedWarning,
        stacklevel=found + 1,
    )


@cache
def environment_key() -> str:
    """What besides its source decides the machine code of a kernel: versions, the CPU, and the operations' own code."""
    import llvmlite
    import numba

    from autosched import __version__
    from autosched.codegen.simd.target import features

    versions = (__version__, numba.__version__, llvmlite.__version__, sys.version)
    return _digest((*versions, *sorted(features())), operations())


def operations() -> list[Path]:
    """The code of operations, and all that it takes constants from."""
    here = _PACKAGE / "codegen"
    return [*here.glob("simd/*.py"), here / "compiler.py", here / "support.py", _PACKAGE / "lang" / "halves.py"]


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
    body = kept(path)
    if body is not None:
        return Outline.from_json(body.decode())
    made = make()
    keep(path, made.to_json().encode())
    return made


def _outline_key(pipeline: Pipeline, schedule: Schedule, layout: Layout) -> str:
    strides = {name: sorted(of.items()) for name, of in sorted(layout.strides.items())}
    target = {**asdict(layout.target), "excluded": sorted(layout.target.excluded)}
    what = [pipeline.name, schedule.to_data(), strides, sorted(layout.params.items()), target]
    return key(environment_key(), compiler_key(), fingerprint(pipeline), json.dumps(what))


def key(*parts: str) -> str:
    """A name of 32 hexadecimal digits for all that decides what is in a file."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
