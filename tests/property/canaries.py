"""Scratch memory of kernels between canaries: a kernel that writes beside what it reserved is found out."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from autosched.codegen.support import scratch_from

#: Bytes of the canaries on either side, and what is in them.
_MARGIN, _BYTE = 4096, 0xC3

_libc = ctypes.CDLL(None)
_libc.aligned_alloc.argtypes, _libc.aligned_alloc.restype = (ctypes.c_size_t, ctypes.c_size_t), ctypes.c_void_p
_libc.free.argtypes, _libc.free.restype = (ctypes.c_void_p,), None

_live: dict[int, int] = {}
_found: list[str] = []


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
def _allocate(alignment: int, size: int) -> int | None:
    base = _libc.aligned_alloc(alignment, size + 2 * _MARGIN) if size < 1 << 62 else None
    if base is None:
        return None
    for place in (base, base + _MARGIN + size):
        ctypes.memset(place, _BYTE, _MARGIN)
    _live[base + _MARGIN] = size
    return base + _MARGIN


@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def _release(address: int | None) -> None:
    if address is None:
        return
    size = _live.pop(address)
    whole = bytes([_BYTE]) * _MARGIN
    for where, place in (("before", address - _MARGIN), ("after", address + size)):
        if ctypes.string_at(place, _MARGIN) != whole:
            _found.append(f"wrote {where} the {size} bytes that it had reserved")
    _libc.free(address - _MARGIN)


@contextmanager
def watched() -> Iterator[None]:
    """Raises AssertionError where a kernel that runs in this block wrote beside its scratch memory."""
    _found.clear()
    given, taken = (ctypes.cast(f, ctypes.c_void_p).value or 0 for f in (_allocate, _release))
    with scratch_from(0, given, taken):
        yield
    assert not _found, f"the kernel {_found[0]}"
    assert not _live, f"the kernel kept {len(_live)} pieces of scratch memory"
