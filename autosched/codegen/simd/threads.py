"""What threads share: words of 8 bytes that change in one step, locks to sleep on, and calls of stages by address.

Every operation on a word is seen by all threads in one order, and what a thread has stored before it is seen by those
that see it.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from typing import Final

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target

from autosched.codegen.simd import emit
from autosched.codegen.simd.definition import Lowering, family, integer_argument
from autosched.codegen.simd.memory import Builder, Value

#: Python's own locks, which threads need nothing of Python to sleep on.
_LOCKS: Final = ("PyThread_acquire_lock", "PyThread_release_lock")
_ORDER: Final = "seq_cst"
_WORD: Final = 8

for _name in _LOCKS:
    llvm.add_symbol(_name, ctypes.cast(getattr(ctypes.pythonapi, _name), ctypes.c_void_p).value or 0)


def _words(operation: str, emit_one: Callable[..., Value], **arguments: types.Type) -> Lowering:
    """An operation on integers that gives one."""
    plain = [integer_argument(operation, which, given) for which, given in arguments.items()]
    return Lowering(types.int64, tuple(plain), emit_one)


def _pointer(b: Builder, address: Value) -> Value:
    return b.inttoptr(address, emit.POINTER)


@family("atomic_load", typed=False)
def _load(addr: types.Type) -> Lowering:
    """The word at `addr`, a multiple of 8."""
    return _words("atomic_load", lambda b, a: b.load_atomic(_pointer(b, a), _ORDER, _WORD, typ=emit.I64), addr=addr)


@family("exchange", typed=False)
def _exchange(addr: types.Type, v: types.Type) -> Lowering:
    """Store a word and return what was there."""
    return _words("exchange", lambda b, a, x: b.atomic_rmw("xchg", _pointer(b, a), x, _ORDER), addr=addr, v=v)


@family("atomic_add", typed=False)
def _add(addr: types.Type, v: types.Type) -> Lowering:
    """Add to a word and return what was there."""
    return _words("atomic_add", lambda b, a, x: b.atomic_rmw("add", _pointer(b, a), x, _ORDER), addr=addr, v=v)


@family("replace", typed=False)
def _replace(addr: types.Type, expected: types.Type, v: types.Type) -> Lowering:
    """Store `v` in a word if `expected` is there; 1 if it was, else 0."""

    def emit_one(b: Builder, address: Value, old: Value, new: Value) -> Value:
        done = b.cmpxchg(_pointer(b, address), old, new, _ORDER, _ORDER)
        return b.zext(b.extract_value(done, 1), emit.I64)

    return _words("replace", emit_one, addr=addr, expected=expected, v=v)


@family("pause", typed=False)
def _pause() -> Lowering:
    """Tell the processor that this thread waits for a word to change."""

    def emit_one(b: Builder) -> None:
        if platform.machine() in ("x86_64", "AMD64"):
            emit.call(b, "llvm.x86.sse2.pause", ir.VoidType())

    return Lowering(types.void, (), emit_one)


@family("acquire", typed=False)
def _acquire(lock: types.Type) -> Lowering:
    """Sleep until a lock of Python's (its address) is free, and take it."""
    plain = integer_argument("acquire", "lock", lock)
    wait = ir.Constant(emit.I32, 1)

    def emit_one(b: Builder, address: Value) -> None:
        emit.call(b, _LOCKS[0], emit.I32, _pointer(b, address), wait)

    return Lowering(types.void, (plain,), emit_one)


@family("unlock", typed=False)
def _unlock(lock: types.Type) -> Lowering:
    """Free a lock, which any thread may, and wake who sleeps on it."""
    plain = integer_argument("unlock", "lock", lock)

    def emit_one(b: Builder, address: Value) -> None:
        emit.call(b, _LOCKS[1], ir.VoidType(), _pointer(b, address))

    return Lowering(types.void, (plain,), emit_one)


@family("call_stage", typed=False)
def _call_stage(function: types.Type, args: types.Type, first: types.Type, last: types.Type) -> Lowering:
    """Call the stage of a kernel that is compiled at an address; its status."""

    def emit_one(b: Builder, where: Value, *values: Value) -> Value:
        convention, kinds = cpu_target.target_context.call_conv, (types.int64,) * len(values)
        kind = convention.get_function_type(types.int64, kinds)
        stage = b.inttoptr(where, kind.as_pointer())
        _, status = convention.call_function(b, stage, types.int64, kinds, values)
        return status

    return _words("call_stage", emit_one, function=function, args=args, first=first, last=last)
