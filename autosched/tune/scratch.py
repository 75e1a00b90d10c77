"""How much memory kernels hold while they run: what they reserve inside their loops, counted as it is reserved.

Kernels take scratch memory from the C library, or what others have given back. While it is counted all of it comes from
two small functions in front of the library's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from autosched.codegen.support import scratch_from

#: The bytes that are held, and the most that were held. Kernels ask for multiples of 4096; the C library may give some
#: more, now and then, which is left out.
_COUNTS = (ctypes.c_int64 * 2)()

_SOURCE = """
define ptr @autosched_allocate(i64 %alignment, i64 %size) {{
  %get = inttoptr i64 {aligned_alloc} to ptr
  %memory = call ptr %get(i64 %alignment, i64 %size)
  call void @autosched_count(ptr %memory, i64 1)
  ret ptr %memory
}}

define void @autosched_release(ptr %memory) {{
  call void @autosched_count(ptr %memory, i64 -1)
  %give = inttoptr i64 {free} to ptr
  call void %give(ptr %memory)
  ret void
}}

define private void @autosched_count(ptr %memory, i64 %sign) {{
  %usable = inttoptr i64 {malloc_usable_size} to ptr
  %room = call i64 %usable(ptr %memory)
  %size = and i64 %room, -4096
  %change = mul i64 %size, %sign
  %held = inttoptr i64 {held} to ptr
  %before = atomicrmw add ptr %held, i64 %change seq_cst
  %after = add i64 %before, %change
  %most = inttoptr i64 {most} to ptr
  %ignored = atomicrmw max ptr %most, i64 %after seq_cst
  ret void
}}
"""


@cache
def _counting() -> tuple[Any, int, int] | None:
    """The addresses of the functions that give and take memory and count, behind what keeps them alive.

    None where the C library cannot say how large a piece of memory is.
    """
    import llvmlite.binding as llvm

    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_usable_size"):
        return None
    addresses = {
        name: ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        for name in ("aligned_alloc", "free", "malloc_usable_size")
    }
    place = ctypes.addressof(_COUNTS)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly(_SOURCE.format(**addresses, held=place, most=place + 8))
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    allocate, free = map(engine.get_function_address, ("autosched_allocate", "autosched_release"))
    return engine, allocate, free


def most_held(run: Callable[[], object]) -> int:
    """The most bytes that kernels hold inside their loops while `run` runs; 0 where that cannot be counted."""
    found = _counting()
    if found is None:
        run()
        return 0
    _, allocate, free = found
    _COUNTS[0] = _COUNTS[1] = 0
    with scratch_from(0, allocate, free):
        run()
    return int(_COUNTS[1])
