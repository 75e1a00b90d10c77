"""Loads, stores, gathers, permutes and scratch do what their twins do, byte for byte."""

from __future__ import annotations

import ctypes
import mmap
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from autosched.codegen.simd import twins
from autosched.codegen.simd.types import ELEMENTS, ValueType, value_type

Compile = Callable[[Sequence[str], str], Any]
TYPES = [
    *(f"{name}{width}" for name in ELEMENTS for width in ("", "x16")),
    *("u8x4", "u8x32", "u8x64", "i8x8", "u16x8", "i16x32", "i32x4", "u32x8", "f32x8", "f64x4", "b1x4"),
    "u8x128",
]
WINDOWS = (64, 128)
SLOT = 1024


def random_memory(value: ValueType, size: int, seed: int) -> np.ndarray:
    """64-byte aligned bytes; b1 lanes are 0 or 1."""
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    memory = raw[start : start + size]
    memory[:] = np.random.default_rng(seed).integers(0, 2 if value.is_bool else 256, size, np.uint8)
    return memory


@pytest.mark.parametrize("name", TYPES)
def test_memory(name: str, compile_kernel: Compile) -> None:
    """One kernel with every memory operation on the type, against the twins on a copy."""
    value = value_type(name)
    source = random_memory(value, 4096, seed=1)
    lanes, size = value.lanes, value.element.bytes
    target = random_memory(value, 64 * SLOT, seed=2)
    expected = target.copy()
    random = np.random.default_rng(3)
    narrow = random.integers(0, 64 - size + 1, lanes).astype(np.int32)
    wide = random.integers(-500, 500, lanes).astype(np.int64)
    lines = [f"v = load_{value}(src + 7)"]
    v = twins.load(value, source, 7)
    slot = 0

    def result(expression: str, meaning: np.ndarray) -> None:
        nonlocal slot
        lines.append(f"store_{value}(dst + {slot * SLOT + 5}, {expression})")
        twins.store(value, expected, slot * SLOT + 5, meaning)
        slot += 1

    result("v", v)
    result(f"read_{value}(src + 1001)", twins.read(value, source, 1001))
    for beside, left in ((0, lanes), (0, 1), (16, lanes), (16, 16), (4, lanes)):
        lines.append(f"stream_{value}(dst + {slot * SLOT + beside}, v, count + {left})")
        twins.stream(value, expected, slot * SLOT + beside, v, left)
        slot += 1
    for beside, count in ((0, lanes), (0, lanes // 2), (16, lanes - 4), (16, 1), (4, lanes // 2), (0, -3)):
        lines.append(f"stream_masked_{value}(dst + {slot * SLOT + beside}, v, count + {count})")
        twins.stream_masked(value, expected, slot * SLOT + beside, v, count)
        slot += 1
    lines += ["fence()", "prefetch(src)", "prefetch(-1)"]  # any address may be given
    counts = sorted({-(2**40), -1, 0, 1, lanes // 2, lanes - 1, lanes, lanes + 1, 300, 2**40})
    for count in counts:
        shift = f"count + {count}"
        for kind in ("load", "read"):
            meaning = getattr(twins, f"{kind}_masked")(value, source, 33, count)
            result(f"{kind}_masked_{value}(src + 33, {shift})", meaning)
        lines.append(f"store_masked_{value}(dst + {slot * SLOT + 3}, v, {shift})")
        twins.store_masked(value, expected, slot * SLOT + 3, v, count)
        slot += 1
    index32, index64 = value.of("i32"), value.of("i64")
    lines.append(f"o = load_{index32}(narrow)")
    lines.append(f"w = load_{index64}(wide)")
    for kind in ("gather", "pick"):
        twin = getattr(twins, kind)
        result(f"{kind}_{value}(src + 9, o)", twin(value, source, 9, narrow))
        result(f"{kind}_{value}(src + 2000, w)", twin(value, source, 2000, wide))
        for unsigned in ("u8", "u32"):
            cast = f"cast_{value.of(unsigned)}(o)"
            result(f"{kind}_{value}(src + 9, {cast})", twin(value, source, 9, narrow))
    if value.is_integer and size <= 2 and lanes >= 2 and value.bytes <= 64:
        for width in WINDOWS:
            read, inside = f"load_u8x{width}(src + 11)", source[11 : 11 + width]
            moved = f"o + const_{index32}({width - 64})"
            result(f"permute_{value}({read}, {moved})", twins.permute(value, inside, narrow + width - 64))
            narrowed = f"cast_{value.of('i64')}(o)"
            result(f"permute_{value}({read}, {narrowed})", twins.permute(value, inside, narrow))
            stride = (width - size - 1) // (lanes - 1)
            if stride:
                result(f"slice_{value}({read}, 1, {stride})", twins.slice(value, inside, 1, stride))
    if lanes >= 4:
        half = ValueType(value.element.name, lanes // 2)
        parts = [twins.load(half, source, at) for at in (70, 7)]
        result(f"concat_{value}(load_{half}(src + 70), load_{half}(src + 7))", twins.concat(*parts))
    for count in (lanes, lanes // 2, -1):
        # Offsets below 64 overlap: the later lane wins.
        lines.append(f"scatter_{value}(dst + {slot * SLOT + 1}, o, v, count + {count})")
        twins.scatter(value, expected, slot * SLOT + 1, narrow, v, count)
        slot += 1
    kernel = compile_kernel(lines, "src, dst, narrow, wide, count")
    kernel(source.ctypes.data, target.ctypes.data, narrow.ctypes.data, wide.ctypes.data, 0)
    wrong = np.flatnonzero(target != expected)
    stores = [line for line in lines if "dst" in line]
    assert not wrong.size, f"{stores[wrong[0] // SLOT]} wrote other bytes than its twin"
    assert slot <= 64 and len(stores) == slot


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("name", ["u8x16", "u8x64", "i16x8", "f32x16", "f64x4", "i32", "b1x16"])
def test_masked_operations_touch_only_active_lanes(name: str, compile_kernel: Compile) -> None:
    """The memory after the active lanes is a page that faults."""
    value = value_type(name)
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.mprotect(ctypes.c_void_p(start + mmap.PAGESIZE), mmap.PAGESIZE, 0) == 0
    kernel = compile_kernel([f"store_masked_{value}(addr, load_masked_{value}(addr, count), count)"], "addr, count")
    for count in range(value.lanes + 1):
        kernel(start + mmap.PAGESIZE - count * value.element.bytes, count)
    kernel(start + mmap.PAGESIZE, -5)


def test_scratch_is_aligned_and_can_be_released_by_many_threads(compile_kernel: Compile) -> None:
    kernel = compile_kernel(
        [
            "release(0)",
            "for i in range(rounds):",
            "    small = allocate(i - 3)",
            "    large = allocate(1 + (i % 70) * 64)",
            "    store_i64(out + i * 16, value_i64(small % 64 + (small == 0)))",
            "    store_i64(out + i * 16 + 8, value_i64(large % 64 + (large == 0)))",
            "    store_u8x64(small, const_u8x64(i))",
            "    store_u8x64(large + (i % 70) * 64, load_u8x64(small))",
            "    release(small)",
            "    release(large)",
        ],
        "out, rounds",
    )
    results = [np.full(2000, -1, np.int64) for _ in range(4)]
    threads = [threading.Thread(target=kernel, args=(r.ctypes.data, 1000)) for r in results]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all((r == 0).all() for r in results)
