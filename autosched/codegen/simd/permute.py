"""Byte permutes: lanes from a window of 64 or 128 bytes that has been read whole.

One read serves every lane, and every permute of the same window. An offset behind the window gives any byte.
"""

from __future__ import annotations

from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.convert import convert
from autosched.codegen.simd.definition import Lowering, family, integer_argument, same_argument, value_argument
from autosched.codegen.simd.memory import offsets_argument
from autosched.codegen.simd.types import ValueType

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value

_LINE = ValueType("u8", 64)
_PAIR_BYTES = 0x00FF00FF


def _window_argument(operation: str, given: types.Type) -> ValueType:
    window = value_argument(operation, "window", given)
    if window.element.name != "u8" or window.lanes not in (64, 128):
        raise NumbaTypeError(f"{operation}: window must be u8x64 or u8x128, not {window}")
    return window


def _moved(b: Builder, window: ValueType, bytes_: Value, index: Value, count: int) -> Value:
    """The first `count` bytes of bytes_[index]; `index` is <64 x i8>."""
    if not target.has_byte_permute():
        return _extracted(b, window, bytes_, index, count)
    if window.lanes == 64:
        moved = emit.call(b, "llvm.x86.avx512.permvar.qi.512", _LINE.llvm, bytes_, index)
    else:
        first, second = (emit.shuffle(b, bytes_, None, range(begin, begin + 64)) for begin in (0, 64))
        moved = emit.call(b, "llvm.x86.avx512.vpermi2var.qi.512", _LINE.llvm, first, index, second)
    return moved if count == 64 else emit.shuffle(b, moved, None, range(count))


def _extracted(b: Builder, window: ValueType, bytes_: Value, index: Value, count: int) -> Value:
    inside = emit.constant(_LINE, window.lanes - 1)
    places = b.and_(index, inside)
    return emit.from_lanes(b, [b.extract_element(bytes_, emit.lane(b, places, i)) for i in range(count)])


@family("permute", typed=True)
def _permute(value: ValueType, window: types.Type, offsets: types.Type) -> Lowering:
    """Lane i from byte offsets[i] of the window on."""
    operation = f"permute_{value}"
    whole = _window_argument(operation, window)
    given = offsets_argument(operation, value, offsets)
    if not value.is_integer or value.element.bits > 16 or value.lanes == 1 or value.bytes > 64:
        raise NumbaTypeError(f"{operation}: only 2 lanes or more of one-byte and two-byte integers, in 64 bytes")

    def emit_one(b: Builder, bytes_: Value, offset: Value) -> Value:
        moved = _moved(b, whole, bytes_, _byte_index(b, value, given, offset), value.bytes)
        return moved if value.element.bits == 8 else b.bitcast(moved, value.llvm)

    return Lowering(value, (whole, given), emit_one)


def _byte_index(b: Builder, value: ValueType, given: ValueType, offsets: Value) -> Value:
    """A <64 x i8> whose first lanes say which byte each byte of the result is."""
    element = value.element.bits
    index = convert(b, given, given.of(f"u{element}"), offsets)
    if element == 16:
        # Little endian: the low byte of a lane is first. (offset + 1) << 8 | offset.
        pair = value.of("u16")
        high = b.shl(b.add(index, emit.constant(pair, 1)), emit.constant(pair, 8))
        index = b.bitcast(b.or_(high, index), ir.VectorType(emit.I8, value.bytes))
    if value.bytes == 64:
        return index
    lanes = [*range(value.bytes), *[value.bytes] * (64 - value.bytes)]
    return emit.shuffle(b, index, None, lanes)


def _permute_groups(name: str, group: int) -> None:
    @family(name, typed=True)
    def resolve(value: ValueType, window: types.Type, offsets: types.Type, tap: types.Type) -> Lowering:
        """Groups of bytes at offset + j * tap of each lane; bytes of a pair are widened to 16 bits."""
        operation = f"{name}_{value}"
        whole = _window_argument(operation, window)
        given = same_argument(operation, "offsets", offsets, value)
        step = integer_argument(operation, "tap", tap)
        if value.element.name != "i32" or not 2 <= value.lanes <= 16:
            raise NumbaTypeError(f"{operation}: groups are 2 to 16 lanes of i32, not {value}")

        def emit_one(b: Builder, bytes_: Value, offset: Value, stride: Value) -> Value:
            index = _group_index(b, value, offset, stride, group)
            groups = b.bitcast(_moved(b, whole, bytes_, index, 4 * value.lanes), value.llvm)
            return groups if group == 4 else b.and_(groups, emit.constant(value, _PAIR_BYTES))

        return Lowering(value, (whole, given, step), emit_one)


_permute_groups("permute_pairs", 2)
_permute_groups("permute_quads", 4)


def _group_index(b: Builder, value: ValueType, offsets: Value, tap: Value, group: int) -> Value:
    """A <64 x i8> that says where each byte of the groups comes from; what is beyond 255 is beyond the window too."""
    step = b.trunc(tap, emit.I32) if tap.type != emit.I32 else tap
    if group == 4:
        spread, taps = 0x01010101, b.mul(step, ir.Constant(emit.I32, 0x03020100))
    else:
        spread, taps = 0x00010001, b.shl(step, ir.Constant(emit.I32, 16))
    index = b.add(b.mul(offsets, emit.constant(value, spread)), emit.splat(b, taps, value.lanes))
    flat = b.bitcast(index, ir.VectorType(emit.I8, 4 * value.lanes))
    if value.lanes == 16:
        return flat
    return emit.shuffle(b, flat, None, [min(lane, 4 * value.lanes) for lane in range(64)])
