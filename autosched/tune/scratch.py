"""How much memory kernels hold while they run: what they reserve inside their loops, counted as it is reserved.

Kernels take scratch memory from the C library. In the worker process they are linked with two small functions that do
the same and count; it costs nanoseconds a range. Kernels that a process has loaded before are not counted.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

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
def count_from_now_on() -> Any:
    """Count what kernels reserve that this process loads from now on. Returns what keeps the functions alive; None
    where the C library cannot say how large a piece of memory is.
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
    llvm.add_symbol("aligned_alloc", engine.get_function_address("autosched_allocate"))
    llvm.add_symbol("free", engine.get_function_address("autosched_release"))
    return engine


def most_held(run: Callable[[], object]) -> int:
    """The most bytes that kernels held inside their loops while `run` ran; 0 where nothing is counted."""
    _COUNTS[1] = _COUNTS[0]
    begin = _COUNTS[0]
    run()
    return int(_COUNTS[1] - begin)
