"""Byte permutes and slices: lanes from a window of 64 or 128 bytes that has been read whole, or of 16 for every four.

One read serves every lane, and every permute of the same window. An offset behind the window gives any byte.
"""

from __future__ import annotations

from typing import TypeAlias

from llvmlite import ir
from numba.core import types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, target
from autosched.codegen.simd.convert import convert
from autosched.codegen.simd.definition import (
    Lowering,
    family,
    integer_argument,
    literal_argument,
    same_argument,
    value_argument,
)
from autosched.codegen.simd.memory import offsets_argument
from autosched.codegen.simd.types import ValueType

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value

_LINE = ValueType("u8", 64)
_PAIR_BYTES = 0x00FF00FF
#: Bytes of a pair that a permute within blocks makes 0.
_CLEARED = 0x80008000


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
    inside = emit.constant(ValueType("u8", index.type.count), window.lanes - 1)
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


def _permute_blocks(name: str, group: int) -> None:
    @family(name, typed=True)
    def resolve(value: ValueType, window: types.Type, offsets: types.Type, tap: types.Type) -> Lowering:
        """Groups like those of a permute, of which every four lanes have their own 16 bytes of the window."""
        operation = f"{name}_{value}"
        if value.element.name != "i32" or value.lanes not in (4, 8, 16):
            raise NumbaTypeError(f"{operation}: blocks are for 4, 8 or 16 lanes of i32, not {value}")
        whole = same_argument(operation, "window", window, ValueType("u8", 4 * value.lanes))
        given = same_argument(operation, "offsets", offsets, value)
        step = integer_argument(operation, "tap", tap)

        def emit_one(b: Builder, bytes_: Value, offset: Value, stride: Value) -> Value:
            index = _group_bytes(b, value, offset, stride, group)
            if group == 2:
                index = b.or_(index, b.bitcast(emit.constant(value, _CLEARED), index.type))
            return b.bitcast(moved_in_blocks(b, bytes_, index), value.llvm)

        return Lowering(value, (whole, given, step), emit_one)


_permute_blocks("permute_blocks_pairs", 2)
_permute_blocks("permute_blocks_quads", 4)


@family("from_first_of_four", typed=False)
def _from_first_of_four(v: types.Type) -> Lowering:
    """Each lane less the first of its four: offsets of lanes as offsets in blocks."""
    value = value_argument("from_first_of_four", "v", v)
    if not value.is_integer or value.lanes % 4:
        raise NumbaTypeError(f"from_first_of_four: v must have 4, 8, 16, … lanes of integers, not be {value}")

    def emit_one(b: Builder, a: Value) -> Value:
        return b.sub(a, emit.shuffle(b, a, None, [lane & -4 for lane in range(value.lanes)]))

    return Lowering(value, (value,), emit_one)


@family("permute_words", typed=True)
def _permute_words(value: ValueType, window: types.Type, places: types.Type) -> Lowering:
    """The i32 words of a window of 64 bytes, in another order: each is the one at its place, modulo 16."""
    operation = f"permute_words_{value}"
    whole = same_argument(operation, "window", window, _LINE)
    given = same_argument(operation, "places", places, ValueType("i32", _LINE.lanes // 4))

    def emit_one(b: Builder, bytes_: Value, place: Value) -> Value:
        words = b.bitcast(bytes_, given.llvm)
        if target.has_word_permute():
            moved = emit.call(b, "llvm.x86.avx512.permvar.si.512", given.llvm, words, place)
        else:
            inside = b.and_(place, emit.constant(given, given.lanes - 1))
            moved = emit.from_lanes(
                b, [b.extract_element(words, emit.lane(b, inside, lane)) for lane in range(given.lanes)]
            )
        return b.bitcast(moved, whole.llvm)

    if value != whole:
        raise NumbaTypeError(f"{operation}: windows are {whole}")
    return Lowering(value, (whole, given), emit_one)


def moved_in_blocks(b: Builder, bytes_: Value, index: Value) -> Value:
    """Each 16 bytes of `bytes_` as the same 16 of `index` say; a place of 128 and more gives 0."""
    size = bytes_.type.count
    intrinsic = target.block_permute_intrinsic(size)
    if intrinsic is not None:
        return emit.call(b, intrinsic, bytes_.type, bytes_, index)
    if size > 16:
        halves = [range(begin, begin + size // 2) for begin in (0, size // 2)]
        first, second = (
            moved_in_blocks(b, emit.shuffle(b, bytes_, None, half), emit.shuffle(b, index, None, half))
            for half in halves
        )
        return emit.shuffle(b, first, second, range(size))
    block = ValueType("u8", size)
    found = _extracted(b, block, bytes_, index, size)
    return b.select(b.icmp_signed("<", index, emit.constant(block, 0)), emit.constant(block, 0), found)


@family("concat", typed=True)
def _concat(value: ValueType, first: types.Type, second: types.Type) -> Lowering:
    """The lanes of the first, then those of the second."""
    operation = f"concat_{value}"
    if value.lanes % 2 or value.lanes < 4:
        raise NumbaTypeError(f"{operation}: both halves have 2 lanes or more, not those of {value}")
    half = ValueType(value.element.name, value.lanes // 2)
    same_argument(operation, "first", first, half)
    same_argument(operation, "second", second, half)

    def emit_one(b: Builder, low: Value, high: Value) -> Value:
        return emit.shuffle(b, low, high, range(value.lanes))

    return Lowering(value, (half, half), emit_one)


@family("slice", typed=True)
def _slice(value: ValueType, window: types.Type, begin: types.Type, stride: types.Type) -> Lowering:
    """Lane i from byte begin + i * stride of the window on; both are literals, and all lanes are in the window."""
    operation = f"slice_{value}"
    whole = _window_argument(operation, window)
    if not value.is_integer or value.element.bits > 16 or value.lanes == 1:
        raise NumbaTypeError(f"{operation}: only 2 lanes or more of one-byte and two-byte integers")
    first, step = literal_argument(operation, "begin", begin), literal_argument(operation, "stride", stride)
    size = value.element.bytes
    places = [first + lane * step + byte for lane in range(value.lanes) for byte in range(size)]
    if min(places) < 0 or max(places) >= whole.lanes:
        raise NumbaTypeError(f"{operation}: bytes {min(places)} to {max(places)} are not all in {whole}")

    def emit_one(b: Builder, bytes_: Value, *_: Value) -> Value:
        found = emit.shuffle(b, bytes_, None, places)
        return found if size == 1 else b.bitcast(found, value.llvm)

    return Lowering(value, (whole, begin, stride), emit_one)


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
    """A <64 x i8> of `_group_bytes`."""
    flat = _group_bytes(b, value, offsets, tap, group)
    if value.lanes == 16:
        return flat
    return emit.shuffle(b, flat, None, [min(lane, 4 * value.lanes) for lane in range(64)])


def _group_bytes(b: Builder, value: ValueType, offsets: Value, tap: Value, group: int) -> Value:
    """Where each byte of the groups comes from; what is beyond 255 is beyond the window too."""
    step = b.trunc(tap, emit.I32) if tap.type != emit.I32 else tap
    if group == 4:
        spread, taps = 0x01010101, b.mul(step, ir.Constant(emit.I32, 0x03020100))
    else:
        spread, taps = 0x00010001, b.shl(step, ir.Constant(emit.I32, 16))
    index = b.add(b.mul(offsets, emit.constant(value, spread)), emit.splat(b, taps, value.lanes))
    return b.bitcast(index, ir.VectorType(emit.I8, 4 * value.lanes))
