"""Machine code on disk: what Numba makes of kernels and of this package's functions, in the cache.

Numba's own cache needs a disk that can be written, fails where the disk does, and believes all that it reads. Here what
is not whole is compiled anew, and what cannot be written is in memory only.
"""

from __future__ import annotations

import contextlib
import pickle
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numba.core.ccallback
import numba.core.dispatcher
from numba.core.caching import FunctionCache, _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from autosched.cache import cache_directory, keep, kept, key
from autosched.errors import CacheError

#: What besides the CPU decides the code of a module's functions, by how the module's name begins.
_deciding: dict[str, Callable[[str], str]] = {}


def store(modules: str, deciding: Callable[[str], str]) -> None:
    """Keep what is compiled with ``cache=True`` in modules whose names begin so.

    `deciding` gives, of the name of a module, a key of all that decides their code besides what Numba knows of the CPU.
    """
    _deciding[modules] = deciding


@cache
def source_key(module: str) -> str:
    """A key of the source of a module."""
    return key(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))


class Stored(_Cache):  # type: ignore[misc]
    """The files of one function, one for each of its signatures. Their names say all that decides what is in them."""

    def __init__(self, function: FunctionType, deciding: Callable[[str], str]) -> None:
        self._function = function
        self._deciding = deciding

    @property
    def cache_path(self) -> str:
        """Where the files are."""
        return str(cache_directory())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was kept, ready to run; None where there is nothing, or nothing that can be used."""
        target_context.refresh()
        # what is wrong with the directory is said where kernels are loaded
        with contextlib.suppress(CacheError):
            body = kept(self._path(sig, target_context.codegen()))
            if body is not None:
                with contextlib.suppress(Exception):  # whatever unpickling may raise
                    return CompileResult._rebuild(target_context, *pickle.loads(body))
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what was compiled."""
        if not data.library.has_dynamic_globals:
            with contextlib.suppress(CacheError):
                keep(self._path(sig, data.codegen), dumps(data._reduce()))

    def enable(self) -> None:
        """Numba's interface: it always is."""

    def disable(self) -> None:
        """Numba's interface: it never is."""

    def flush(self) -> None:
        """Numba's interface: nothing is ever stale."""

    def _path(self, sig: Any, codegen: Any) -> Path:
        module, name = self._function.__module__, self._function.__qualname__
        what = repr((codegen.magic_tuple(), str(sig)))
        return cache_directory() / f"{module}.{name}.{key(self._deciding(module), what)}.code"


def _cache_of(function: FunctionType) -> Any:
    """The cache of a function that is compiled with ``cache=True``: Numba's own where nothing is said of its module."""
    for modules, deciding in _deciding.items():
        if function.__module__.startswith(modules):
            return Stored(function, deciding)
    return FunctionCache(function)


# Numba has no other place to say which cache a function has
for _module in (numba.core.dispatcher, numba.core.ccallback):
    _module.FunctionCache = _cache_of
