"""Objects to and from files, for the worker process: arrays arrive with the strides that they were sent with.

Pickle makes an array dense, and a kernel of another layout is another kernel. Only files that this process has written
itself, into a directory of its own, are ever read.
"""

from __future__ import annotations

import ctypes
import pickle
import sys
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from autosched.files import write_whole

T = TypeVar("T")

#: Frames and bytes of stack for expressions that are nested deeply.
_DEPTH, _STACK = 200_000, 512 << 20


def save(value: object, path: Path) -> None:
    """Write `value` to `path`, which appears whole or not at all."""
    write_whole(path, packed(value))


def load(path: Path) -> Any:
    """What `save` wrote."""
    return unpacked(path.read_bytes())


def packed(value: object) -> bytes:
    """`value` as bytes."""

    def pack() -> bytes:
        buffer = BytesIO()
        _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
        return buffer.getvalue()

    return _deep(pack)


def unpacked(data: bytes) -> Any:
    """The value in the bytes that `packed` made."""
    return _deep(lambda: pickle.loads(data))


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if type(value) is not np.ndarray or value.dtype.hasobject:
            return NotImplemented
        if value.flags.c_contiguous and value.flags.writeable:
            return NotImplemented
        low, high = np.lib.array_utils.byte_bounds(value)
        offset = value.ctypes.data - low
        held = ctypes.string_at(low, high - low) if value.size else b""
        return _array, (value.shape, value.dtype, held, offset, value.strides, value.flags.writeable)


def _array(
    shape: tuple[int, ...], dtype: np.dtype[Any], held: bytes, offset: int, strides: tuple[int, ...], writeable: bool
) -> npt.NDArray[Any]:
    if not held:
        made: npt.NDArray[Any] = np.ndarray(shape, dtype)
    else:
        made = np.ndarray(shape, dtype, bytearray(held) if writeable else held, offset, strides)
    made.flags.writeable = writeable
    return made


def _deep(work: Callable[[], T]) -> T:
    """`work` with as much stack as deep expressions need; pickle goes down recursively."""
    try:
        return work()
    except RecursionError:
        pass
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    limit, stack = sys.getrecursionlimit(), threading.stack_size(_STACK)
    try:
        sys.setrecursionlimit(_DEPTH)
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit)
        threading.stack_size(stack)
    if failed:
        raise failed[0]
    return done[0]
