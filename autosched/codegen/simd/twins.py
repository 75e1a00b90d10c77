"""What each operation means, in numpy: the definition that tests compare the compiled form with.

A value is an array whose last axis is the lanes; a scalar value is an array of one lane, or a
numpy scalar. An operation's twin has its name (an operator's twin the name in `operator`), and a
typed operation's twin takes the value type first: `cast_i32x16(v)` is `cast(value_type("i32x16"), v)`.
Memory is a one-dimensional uint8 array and an address an index into it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autosched.codegen.simd.types import ELEMENTS, Element, ValueType
from autosched.lang.bits import same_bits
from autosched.lang.fused import multiply_add
from autosched.lang.halves import half_bits
from autosched.lang.types import bf16, f16

Array = NDArray[Any]
Memory = NDArray[np.uint8]

_BY_DTYPE = {element.dtype: element for element in ELEMENTS.values()}


def _element(v: Array) -> Element:
    return _BY_DTYPE[np.asarray(v).dtype]


# Operators: both operands have one dtype, which the result has too; integers wrap.


def add(x: Array, y: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.add(x, y)


def sub(x: Array, y: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.subtract(x, y)


def mul(x: Array, y: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.multiply(x, y)


def truediv(x: Array, y: Array) -> Array:
    """Floats only."""
    with np.errstate(all="ignore"):
        return np.divide(x, y)


def floordiv(x: Array, y: Array) -> Array:
    """Integers only; rounds down, `x // 0` is 0 and MIN // -1 is MIN."""
    with np.errstate(all="ignore"):
        return np.where(y == 0, np.zeros_like(x), np.floor_divide(x, np.where(y == 0, np.ones_like(y), y)))


def mod(x: Array, y: Array) -> Array:
    """Integers only; the sign is the divisor's and `x % 0` is 0."""
    with np.errstate(all="ignore"):
        return np.where(y == 0, np.zeros_like(x), np.mod(x, np.where(y == 0, np.ones_like(y), y)))


def and_(x: Array, y: Array) -> Array:
    return np.bitwise_and(x, y)


def or_(x: Array, y: Array) -> Array:
    return np.bitwise_or(x, y)


def xor(x: Array, y: Array) -> Array:
    return np.bitwise_xor(x, y)


def invert(x: Array) -> Array:
    return np.invert(x)


def neg(x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.negative(x)


def _amount(x: Array, y: Array) -> Array:
    amount: Array = np.bitwise_and(y, y.dtype.type(_element(x).bits - 1))
    return amount


def lshift(x: Array, y: Array) -> Array:
    """The amount counts modulo the element's bits."""
    shifted: Array = np.left_shift(x, _amount(x, y))
    return shifted


def rshift(x: Array, y: Array) -> Array:
    """Arithmetic for signed elements, logical for unsigned ones; the amount as in `lshift`."""
    shifted: Array = np.right_shift(x, _amount(x, y))
    return shifted


def eq(x: Array, y: Array) -> Array:
    return np.equal(x, y)


def ne(x: Array, y: Array) -> Array:
    return np.not_equal(x, y)


def lt(x: Array, y: Array) -> Array:
    return np.less(x, y)


def le(x: Array, y: Array) -> Array:
    return np.less_equal(x, y)


def gt(x: Array, y: Array) -> Array:
    return np.greater(x, y)


def ge(x: Array, y: Array) -> Array:
    return np.greater_equal(x, y)


# Named operations within one type.


def vmin(a: Array, b: Array) -> Array:
    return np.where(b < a, b, a)


def vmax(a: Array, b: Array) -> Array:
    return np.where(a < b, b, a)


def vabs(a: Array) -> Array:
    """The most negative integer stays as it is."""
    with np.errstate(all="ignore"):
        return np.abs(a)


def vsqrt(a: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.sqrt(a)


def vfloor(a: Array) -> Array:
    return np.floor(a)


def vceil(a: Array) -> Array:
    return np.ceil(a)


def vtrunc(a: Array) -> Array:
    return np.trunc(a)


def vrint(a: Array) -> Array:
    """Half to even."""
    return np.rint(a)


def vfma(a: Array, b: Array, c: Array) -> Array:
    return multiply_add(a, b, c)


def select(condition: Array, a: Array, b: Array) -> Array:
    return np.where(condition, a, b)


def _reduce(step: Callable[[Array, Array], Array], a: Array) -> Array:
    result = a[..., 0]
    for lane in range(1, a.shape[-1]):
        result = step(result, a[..., lane])
    return result


def reduce_add(a: Array) -> Array:
    return _reduce(add, a)


def reduce_mul(a: Array) -> Array:
    return _reduce(mul, a)


def reduce_min(a: Array) -> Array:
    return _reduce(vmin, a)


def reduce_max(a: Array) -> Array:
    return _reduce(vmax, a)


# Conversions.


def cast(target: ValueType, v: Array) -> Array:
    """Integers wrap; floats to integers truncate, then saturate, and NaN is 0; to b1 is `!= 0`."""
    element, dtype = target.element, target.element.dtype
    if element.kind == "b":
        nonzero: Array = np.not_equal(v, v.dtype.type(0))
        return nonzero
    with np.errstate(all="ignore"):
        if v.dtype.kind != "f" or element.kind == "f":
            return v.astype(dtype)
        whole = np.trunc(v)
        above, below = whole >= float(element.maximum + 1), whole < float(element.minimum)
        inside = np.where(above | below | np.isnan(v), 0, whole).astype(dtype)
    return np.where(above, dtype.type(element.maximum), np.where(below, dtype.type(element.minimum), inside))


def sat(target: ValueType, v: Array) -> Array:
    """As `cast`, but integers go to the nearest integer that the element has."""
    element, source = target.element, _element(v)
    if element.kind in "ui" and source.kind in "ui":
        v = np.maximum(v, v.dtype.type(max(element.minimum, source.minimum)))
        v = np.minimum(v, v.dtype.type(min(element.maximum, source.maximum)))
    return cast(target, v)


def reinterpret(target: ValueType, v: Array) -> Array:
    """The same bits; all NaNs have those of one as integers."""
    return same_bits(v, target.element.dtype)


def round_bf16(v: Array) -> Array:
    return half_bits(v, bf16)


def round_f16(v: Array) -> Array:
    return half_bits(v, f16)


def splat(target: ValueType, s: Any) -> Array:
    return np.full(target.lanes, s, target.element.dtype)


def iota(target: ValueType) -> Array:
    return cast(target, np.arange(target.lanes))


def const(target: ValueType, x: int | float) -> Array:
    """A float is a double first."""
    if isinstance(x, float):
        return cast(target, np.full(target.lanes, x))
    return value(target, x)


def value(target: ValueType, i: int) -> Array:
    if target.element.kind in "ui":
        wrapped = i & (2**target.element.bits - 1)
        unsigned = np.full(target.lanes, wrapped, f"u{target.element.bytes}")
        return unsigned.view(target.element.dtype)
    return cast(target, np.full(target.lanes, i))


def index(v: Any) -> int:
    """The int64 with the value's bits: a u64 wraps."""
    return int(np.asarray(v).astype(np.int64).item())


def bool_(v: Any) -> bool:
    return bool(np.asarray(v).item())


# Memory.


def load(value: ValueType, memory: Memory, addr: int) -> Array:
    return memory[addr : addr + value.bytes].view(value.element.dtype).copy()


read = load


def store(value: ValueType, memory: Memory, addr: int, v: Array) -> None:
    memory[addr : addr + value.bytes] = v.view(np.uint8)


def stream(value: ValueType, memory: Memory, addr: int, v: Array, left: int) -> None:
    store(value, memory, addr, v)


def _active(value: ValueType, count: int) -> int:
    return min(max(count, 0), value.lanes)


def load_masked(value: ValueType, memory: Memory, addr: int, count: int) -> Array:
    result = np.zeros(value.lanes, value.element.dtype)
    active = _active(value, count)
    result[:active] = load(ValueType(value.element.name, max(active, 1)), memory, addr)[:active]
    return result


read_masked = load_masked


def store_masked(value: ValueType, memory: Memory, addr: int, v: Array, count: int) -> None:
    active = _active(value, count)
    memory[addr : addr + active * value.element.bytes] = v[:active].view(np.uint8)


stream_masked = store_masked


def gather(value: ValueType, memory: Memory, addr: int, offsets: Array) -> Array:
    lanes = [load(value.scalar, memory, addr + int(offset)) for offset in offsets]
    return np.concatenate(lanes)


pick = gather


def scatter(value: ValueType, memory: Memory, addr: int, offsets: Array, v: Array, count: int) -> None:
    for lane in range(_active(value, count)):
        store(value.scalar, memory, addr + int(offsets[lane]), v[lane : lane + 1])


# Groups: i32 lanes that each hold two 16-bit integers or four bytes.


def pairs(first: Array, second: Array) -> Array:
    """Lanes of two i16: `first` in the low half."""
    made: Array = np.stack([first.astype(np.int16), second.astype(np.int16)], 1).reshape(-1).view(np.int32)
    return made


def quads(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Lanes of four bytes, `a` in the lowest."""
    made: Array = np.stack([v.view(np.uint8) for v in (a, b, c, d)], 1).reshape(-1).view(np.int32)
    return made


def _staggered(lanes: int) -> Array:
    """The lane at each place of the staggered order: first quarters of blocks of sixteen, then second ones, ..."""
    order: Array = np.arange(lanes).reshape(-1, 4, 4).transpose(1, 0, 2).reshape(-1)
    return order


def quads_staggered(a: Array, b: Array, c: Array, d: Array) -> Array:
    """`quads` in staggered order."""
    made: Array = quads(a, b, c, d)[_staggered(len(a))]
    return made


def sat_staggered(v: Array) -> Array:
    """i32 in staggered order to the nearest bytes, in their own order."""
    made = np.empty(len(v), np.uint8)
    made[_staggered(len(v))] = np.clip(v, 0, 255)
    return made


def permute(value: ValueType, window: Array, offsets: Array) -> Array:
    """The element at each lane's offset in the window."""
    return gather(value, window, 0, offsets)


def permute_pairs(window: Array, offsets: Array, tap: int) -> Array:
    """The bytes at offset and offset + tap of each lane, widened."""
    return pairs(window[offsets], window[offsets + tap])


def permute_quads(window: Array, offsets: Array, tap: int) -> Array:
    """The bytes at offset + j * tap of each lane, j from 0 to 3."""
    return quads(*(window[offsets + j * tap] for j in range(4)))


def _in_blocks(offsets: Array) -> Array:
    """Offsets in blocks of 16 bytes, one for every four lanes, as offsets in all of them."""
    found: Array = offsets + 16 * (np.arange(len(offsets)) // 4)
    return found


def permute_blocks_pairs(window: Array, offsets: Array, tap: int) -> Array:
    """`permute_pairs` with 16 bytes of the window for every four lanes."""
    return permute_pairs(window, _in_blocks(offsets), tap)


def permute_blocks_quads(window: Array, offsets: Array, tap: int) -> Array:
    """`permute_quads` with 16 bytes of the window for every four lanes."""
    return permute_quads(window, _in_blocks(offsets), tap)


def permute_words(window: Array, places: Array) -> Array:
    """The i32 words of a window at `places`, modulo how many there are."""
    words = window.view(np.int32)
    made: Array = words[places % len(words)].view(np.uint8)
    return made


def from_first_of_four(v: Array) -> Array:
    """Each lane less the first of its four."""
    made: Array = v - np.repeat(v[::4], 4)
    return made


def slice(value: ValueType, window: Array, begin: int, stride: int) -> Array:  # noqa: A001
    """The element at begin + i * stride of the window for lane i."""
    return gather(value, window, begin, stride * np.arange(value.lanes))


def concat(first: Array, second: Array) -> Array:
    """The lanes of both."""
    return np.concatenate([first, second])


def dot_pairs(acc: Array, data: Array, weights: Array) -> Array:
    """acc + the sum of i16 x i16 products of each lane, exactly, then wrapped."""
    return _dot(acc, data.view(np.int16), weights.view(np.int16), 2)


def dot_quads(acc: Array, data: Array, weights: Array) -> Array:
    """acc + the sum of u8 x i8 products of each lane, exactly, then wrapped."""
    return _dot(acc, data.view(np.uint8), weights.view(np.int8), 4)


def _dot(acc: Array, data: Array, weights: Array, group: int) -> Array:
    products = data.astype(np.int64) * weights.astype(np.int64)
    wrapped: Array = (acc + products.reshape(-1, group).sum(1)).astype(np.int32)
    return wrapped
