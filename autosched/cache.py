"""The private directory of what is compiled: files that are there whole, or not at all.

The disk is never needed: what cannot be read is made anew, and what cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import warnings
from functools import cache
from pathlib import Path

from autosched.errors import AutoschedWarning, CacheError
from autosched.files import write_whole

_PACKAGE = Path(__file__).parent
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
def versions() -> str:
    """What decides the machine code of any function besides its source and the CPU: who compiles it, and for what."""
    import llvmlite
    import numba

    from autosched import __version__

    return key(__version__, numba.__version__, llvmlite.__version__, sys.version)


def key(*parts: str) -> str:
    """A name of 32 hexadecimal digits for all that decides what is in a file."""
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:32]
