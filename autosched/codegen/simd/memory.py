"""Memory: loads, stores, gathers and scratch. Addresses are byte addresses in a Numba int64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.errors import NumbaTypeError

from autosched.codegen.simd import emit, scratch
from autosched.codegen.simd.arithmetic import maximum, minimum
from autosched.codegen.simd.convert import convert
from autosched.codegen.simd.definition import (
    Lowering,
    family,
    integer_argument,
    same_argument,
    value_argument,
)
from autosched.codegen.simd.types import ValueType

#: The least that is stored past the caches, in bytes.
_PIECE = 16
_ADDRESS = ValueType("i64", 1)

Builder: TypeAlias = ir.IRBuilder
Value: TypeAlias = ir.Value

#: The hint of `llvm.prefetch`: a read, into the second-level cache and those behind it, of data.
_READ, _SECOND_LEVEL, _DATA = 0, 2, 1
#: Scratch memory begins at a page of this many bytes, and kernels may use it from any place in the first on.
PAGE = 4096


def in_memory(value: ValueType) -> ValueType:
    """The type whose bytes are stored: b1 lanes take a byte each, 0 or 1."""
    return value.of("u8") if value.is_bool else value


def load(b: Builder, value: ValueType, address: Value, *, align: int = 1, invariant: bool = False) -> Value:
    """Load from the int64 `address`. An invariant load promises that nobody writes the bytes."""
    stored = in_memory(value)
    loaded = b.load(b.inttoptr(address, emit.POINTER), typ=stored.llvm, align=align)
    if invariant:
        loaded.set_metadata("invariant.load", b.module.add_metadata([]))
    return convert(b, stored, value, loaded)


@family("load", typed=True)
def _load(value: ValueType, addr: types.Type) -> Lowering:
    """Unaligned load."""
    plain = integer_argument(f"load_{value}", "addr", addr)
    return Lowering(value, (plain,), lambda b, address: load(b, value, address))


@family("read", typed=True)
def _read(value: ValueType, addr: types.Type) -> Lowering:
    """Unaligned load from memory that nobody writes while the kernel runs."""
    plain = integer_argument(f"read_{value}", "addr", addr)
    return Lowering(value, (plain,), lambda b, address: load(b, value, address, invariant=True))


@family("store", typed=True)
def _store(value: ValueType, addr: types.Type, v: types.Type) -> Lowering:
    """Unaligned store."""
    plain = integer_argument(f"store_{value}", "addr", addr)
    same_argument(f"store_{value}", "v", v, value)
    stored = in_memory(value)

    def emit_one(b: Builder, address: Value, x: Value) -> None:
        b.store(convert(b, value, stored, x), b.inttoptr(address, emit.POINTER), align=1)

    return Lowering(types.void, (plain, value), emit_one)


@family("stream", typed=True)
def _stream(value: ValueType, addr: types.Type, v: types.Type, left: types.Type) -> Lowering:
    """Store a vector of a row past the caches; `left` is how many elements the row has from there on.

    The CPU puts lines together from pieces of 16 bytes that follow each other; a line that it cannot complete, because
    other stores are meant for it too, takes longer than an ordinary store. So where the vector and the row do not
    consist of such pieces in memory, this does as `store` does. Any number that differs from `left` by whole vectors
    will do.

    Ordinary loads of this thread see the bytes; another thread does after a `fence`.
    """
    counted = integer_argument(f"stream_{value}", "left", left)
    ordinary = _store(value, addr, v)
    stored = in_memory(value)
    whole = min(64, 1 << (stored.bytes.bit_length() - 1))

    def emit_one(b: Builder, address: Value, x: Value, rest: Value) -> None:
        converted = convert(b, value, stored, x)
        with b.if_else(_are_multiples(b, stored, address, whole, rest), likely=True) as (aligned, other):
            with aligned:
                _store_past(b, address, converted, whole)
            with other, b.if_else(_are_multiples(b, stored, address, _PIECE, rest)) as (pieces, neither):
                with pieces:
                    for offset, piece in _pieces(b, stored, converted):
                        _store_past(b, b.add(address, emit.constant(_ADDRESS, offset)), piece, _PIECE)
                with neither:
                    ordinary.emit(b, address, x)

    def emit_small(b: Builder, address: Value, x: Value, rest: Value) -> None:
        ordinary.emit(b, address, x)

    emitted = emit_small if stored.bytes % _PIECE else emit_one
    return Lowering(types.void, (*ordinary.arguments, counted), emitted)


def _are_multiples(b: Builder, value: ValueType, address: Value, of: int, count: Value) -> Value:
    """Whether an address is a multiple of some bytes, and `count` elements are of a piece."""
    length = b.mul(count, emit.constant(_ADDRESS, value.scalar.bytes))
    beside = b.or_(
        b.and_(address, emit.constant(_ADDRESS, of - 1)), b.and_(length, emit.constant(_ADDRESS, _PIECE - 1))
    )
    return b.icmp_unsigned("==", beside, emit.constant(_ADDRESS, 0))


def _store_past(b: Builder, address: Value, x: Value, align: int) -> None:
    """A store past the caches to a multiple of `align`."""
    written = b.store(x, b.inttoptr(address, emit.POINTER), align=align)
    written.set_metadata("nontemporal", b.module.add_metadata([ir.Constant(emit.I32, 1)]))


def _pieces(b: Builder, value: ValueType, x: Value) -> Iterator[tuple[int, Value]]:
    """A vector in pieces of `_PIECE` bytes: how far each is from its beginning, and the piece."""
    lanes = _PIECE // value.scalar.bytes
    for first in range(0, value.lanes, lanes):
        yield first * value.scalar.bytes, emit.shuffle(b, x, None, range(first, first + lanes))


@family("prefetch", typed=False)
def _prefetch(addr: types.Type) -> Lowering:
    """Bring the line at `addr` into the second-level cache, if it can be read; it may be any address."""
    plain = integer_argument("prefetch", "addr", addr)

    def emit_one(b: Builder, address: Value) -> None:
        pointer = b.inttoptr(address, emit.POINTER)
        flags = [ir.Constant(emit.I32, flag) for flag in (_READ, _SECOND_LEVEL, _DATA)]
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, *(flag.type for flag in flags)])
        b.call(cgutils.get_or_insert_function(b.module, kind, "llvm.prefetch.p0"), [pointer, *flags])

    return Lowering(types.void, (plain,), emit_one)


@family("fence", typed=False)
def _fence() -> Lowering:
    """What this thread stored, past the caches too, is seen by others before anything that it stores later."""
    return Lowering(types.void, (), lambda b: b.fence("seq_cst"))


def first_lanes(b: Builder, stored: ValueType, count: Value) -> Value:
    """An i1 per lane of `stored`: whether the lane's number is below `count`.

    Compared in the element's own width where the lane numbers fit, which is what mask registers
    and AVX2 blends want; always a vector, of one lane too.
    """
    lanes = stored.lanes
    bits = stored.element.bits if lanes < 128 else max(stored.element.bits, 16)
    number = ValueType(f"i{bits}", lanes)
    i64 = ValueType("i64", 1)
    positive = maximum(b, i64, count, emit.constant(i64, 0))
    clamped = minimum(b, i64, positive, emit.constant(i64, lanes))
    narrow = convert(b, i64, number.scalar, clamped)
    inside = b.icmp_signed("<", emit.lane_numbers(number), emit.splat(b, narrow, lanes))
    return _as_vector(b, inside, lanes)


def _as_vector(b: Builder, x: Value, lanes: int) -> Value:
    """A scalar as a vector of one lane, which the masked intrinsics need."""
    if lanes > 1:
        return x
    empty = ir.Constant(ir.VectorType(x.type, 1), ir.Undefined)
    return b.insert_element(empty, x, ir.Constant(emit.I32, 0))


def _masked_load(value: ValueType, operation: str, addr: types.Type, count: types.Type) -> Lowering:
    plain = integer_argument(operation, "addr", addr)
    counted = integer_argument(operation, "count", count)
    stored = in_memory(value)
    vector = ir.VectorType(stored.element.llvm, stored.lanes)
    scalar = stored.scalar.suffix

    def emit_one(b: Builder, address: Value, active: Value) -> Value:
        loaded = emit.call(
            b,
            f"llvm.masked.load.v{stored.lanes}{scalar}.p0",
            vector,
            b.inttoptr(address, emit.POINTER),
            ir.Constant(emit.I32, 1),
            first_lanes(b, stored, active),
            ir.Constant(vector, None),
        )
        if stored.lanes == 1:
            loaded = emit.lane(b, loaded, 0)
        return convert(b, stored, value, loaded)

    return Lowering(value, (plain, counted), emit_one)


@family("load_masked", typed=True)
def _load_masked(value: ValueType, addr: types.Type, count: types.Type) -> Lowering:
    """Load the first `count` lanes; the others are 0 and their memory is not touched."""
    return _masked_load(value, f"load_masked_{value}", addr, count)


@family("read_masked", typed=True)
def _read_masked(value: ValueType, addr: types.Type, count: types.Type) -> Lowering:
    """`load_masked` from memory that nobody writes while the kernel runs.

    LLVM 22 makes nothing of that promise on a masked load: hoist it by hand where it matters.
    """
    return _masked_load(value, f"read_masked_{value}", addr, count)


@family("store_masked", typed=True)
def _store_masked(value: ValueType, addr: types.Type, v: types.Type, count: types.Type) -> Lowering:
    """Store the first `count` lanes; the memory of the others is not touched."""
    operation = f"store_masked_{value}"
    plain = integer_argument(operation, "addr", addr)
    same_argument(operation, "v", v, value)
    counted = integer_argument(operation, "count", count)
    stored = in_memory(value)

    def emit_one(b: Builder, address: Value, x: Value, active: Value) -> None:
        emit.call(
            b,
            f"llvm.masked.store.v{stored.lanes}{stored.scalar.suffix}.p0",
            ir.VoidType(),
            _as_vector(b, convert(b, value, stored, x), stored.lanes),
            b.inttoptr(address, emit.POINTER),
            ir.Constant(emit.I32, 1),
            first_lanes(b, stored, active),
        )

    return Lowering(types.void, (plain, value, counted), emit_one)


@family("stream_masked", typed=True)
def _stream_masked(value: ValueType, addr: types.Type, v: types.Type, count: types.Type) -> Lowering:
    """`store_masked` past the caches, at the end of a row; see `stream`."""
    masked = _store_masked(value, addr, v, count)
    stored = in_memory(value)
    if stored.bytes % _PIECE:
        return masked

    def emit_one(b: Builder, address: Value, x: Value, active: Value) -> None:
        converted = convert(b, value, stored, x)
        with b.if_else(_are_multiples(b, stored, address, _PIECE, active), likely=True) as (past, other):
            with past:
                for offset, piece in _pieces(b, stored, converted):
                    first = emit.constant(_ADDRESS, offset // stored.scalar.bytes)
                    with b.if_then(b.icmp_signed(">", active, first)):
                        _store_past(b, b.add(address, emit.constant(_ADDRESS, offset)), piece, _PIECE)
            with other:
                masked.emit(b, address, x, active)

    return Lowering(types.void, masked.arguments, emit_one)


def offsets_argument(operation: str, value: ValueType, offsets: types.Type) -> ValueType:
    """`offsets` if it has an integer for each lane of `value`."""
    given = value_argument(operation, "offsets", offsets)
    if not given.is_integer or given.lanes != value.lanes:
        raise NumbaTypeError(f"{operation}: offsets must have {value.lanes} integer lanes, but it is {given}")
    return given


def pick(b: Builder, value: ValueType, given: ValueType, address: Value, offsets: Value) -> Value:
    """One scalar load a lane."""
    i64 = given.of("i64")
    wide = convert(b, given, i64, offsets)
    stored = in_memory(value)
    scalars = [load(b, stored.scalar, b.add(address, emit.lane(b, wide, index))) for index in range(value.lanes)]
    return convert(b, stored, value, emit.from_lanes(b, scalars))


@family("pick", typed=True)
def _pick(value: ValueType, addr: types.Type, offsets: types.Type) -> Lowering:
    """Lane i from `addr + offsets[i]` (bytes), by scalar loads."""
    operation = f"pick_{value}"
    plain = integer_argument(operation, "addr", addr)
    given = offsets_argument(operation, value, offsets)
    return Lowering(value, (plain, given), lambda b, a, o: pick(b, value, given, a, o))


def _pointers(b: Builder, given: ValueType, address: Value, offsets: Value) -> Value:
    """A vector of pointers; a base with offsets is what gather instructions take."""
    # Narrow unsigned offsets fit in 32 bits, and getelementptr takes its indices as signed.
    narrow = given.element.bits < 64 and given.element.name != "u32"
    index = convert(b, given, given.of("i32" if narrow else "i64"), offsets)
    pointers = b.gep(b.inttoptr(address, emit.POINTER), [index], source_etype=emit.I8)
    # llvmlite types every getelementptr as one pointer; a vector index gives a vector of them.
    pointers.type = ir.VectorType(emit.POINTER, given.lanes)
    return pointers


@family("gather", typed=True)
def _gather(value: ValueType, addr: types.Type, offsets: types.Type) -> Lowering:
    """Lane i from `addr + offsets[i]` (bytes), by the target's gather where it has one."""
    operation = f"gather_{value}"
    plain = integer_argument(operation, "addr", addr)
    given = offsets_argument(operation, value, offsets)
    if value.lanes == 1:
        return _pick(value, addr, offsets)
    stored = in_memory(value)

    def emit_one(b: Builder, address: Value, offset: Value) -> Value:
        loaded = emit.call(
            b,
            f"llvm.masked.gather.{stored.suffix}.v{value.lanes}p0",
            stored.llvm,
            _pointers(b, given, address, offset),
            ir.Constant(emit.I32, 1),
            emit.constant(value.of("b1"), 1),
            ir.Constant(stored.llvm, None),
        )
        return convert(b, stored, value, loaded)

    return Lowering(value, (plain, given), emit_one)


@family("scatter", typed=True)
def _scatter(value: ValueType, addr: types.Type, offsets: types.Type, v: types.Type, count: types.Type) -> Lowering:
    """Store the first `count` lanes, lane i to `addr + offsets[i]` (bytes), in lane order."""
    operation = f"scatter_{value}"
    plain = integer_argument(operation, "addr", addr)
    given = offsets_argument(operation, value, offsets)
    same_argument(operation, "v", v, value)
    counted = integer_argument(operation, "count", count)
    stored = in_memory(value)
    if value.lanes == 1:
        masked = _store_masked(value, addr, v, count)

        def emit_scalar(b: Builder, address: Value, offset: Value, x: Value, active: Value) -> None:
            place = b.add(address, convert(b, given, ValueType("i64", 1), offset))
            masked.emit(b, place, x, active)

        return Lowering(types.void, (plain, given, value, counted), emit_scalar)

    def emit_one(b: Builder, address: Value, offset: Value, x: Value, active: Value) -> None:
        emit.call(
            b,
            f"llvm.masked.scatter.{stored.suffix}.v{value.lanes}p0",
            ir.VoidType(),
            convert(b, value, stored, x),
            _pointers(b, given, address, offset),
            ir.Constant(emit.I32, 1),
            first_lanes(b, stored, active),
        )

    return Lowering(types.void, (plain, given, value, counted), emit_one)


@family("allocate", typed=False)
def _allocate(nbytes: types.Type) -> Lowering:
    """The address of at least `nbytes` fresh bytes, a multiple of 4096; 0 if there is no memory."""
    plain = integer_argument("allocate", "nbytes", nbytes)
    i64 = ValueType("i64", 1)

    def emit_one(b: Builder, size: Value) -> Value:
        positive = maximum(b, i64, size, emit.constant(i64, 1))
        rounded = b.and_(b.add(positive, emit.constant(i64, PAGE - 1)), emit.constant(i64, -PAGE))
        memory = _call_at(b, scratch.ALLOCATE, emit.POINTER, emit.constant(i64, PAGE), rounded)
        return b.ptrtoint(memory, emit.I64)

    return Lowering(types.int64, (plain,), emit_one)


@family("scratch_words", typed=False)
def _words() -> Lowering:
    """The address of the words in which blocks of scratch memory wait; see `codegen.simd.scratch`."""
    return Lowering(types.int64, (), _scratch_words)


def _scratch_words(b: Builder) -> Value:
    words = b.module.globals.get(scratch.SYMBOL)
    if words is None:
        words = ir.GlobalVariable(b.module, ir.ArrayType(emit.I64, scratch.FIRST + scratch.SLOTS), scratch.SYMBOL)
    return b.ptrtoint(words, emit.I64)


def _call_at(b: Builder, place: int, result: ir.Type, *values: Value) -> Value:
    """Call the function whose address is in one of the words of `codegen.simd.scratch`."""
    word = b.add(_scratch_words(b), emit.constant(_ADDRESS, 8 * place))
    kind = ir.FunctionType(result, [value.type for value in values])
    return b.call(b.inttoptr(load(b, _ADDRESS, word), kind.as_pointer()), values)


@family("release", typed=False)
def _release(addr: types.Type) -> Lowering:
    """Give back what `allocate` returned, by any address in its first page; 0 is harmless."""
    plain = integer_argument("release", "addr", addr)

    def emit_one(b: Builder, address: Value) -> None:
        begin = b.and_(address, emit.constant(ValueType("i64", 1), -PAGE))
        _call_at(b, scratch.FREE, ir.VoidType(), b.inttoptr(begin, emit.POINTER))

    return Lowering(types.void, (plain,), emit_one)
