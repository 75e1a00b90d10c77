"""Groups and their dot products equal their numpy twins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from llvmlite import binding, ir

from autosched.codegen.simd import permute, target, twins

Compile = Callable[..., Any]
LANES = (4, 8, 16, 32)


def _memory(seed: int, size: int = 4096) -> np.ndarray[Any, Any]:
    values = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    values[:64] = np.tile(np.array([0, 255, 128, 127], np.uint8), 16)
    return values


@pytest.mark.parametrize("lanes", LANES)
def test_groups_hold_their_parts_in_order(compile_kernel: Compile, lanes: int) -> None:
    kernel = compile_kernel(
        [
            f"store_i32x{lanes}(dst, pairs_i32x{lanes}(load_u8x{lanes}(src), load_u8x{lanes}(src + 64)))",
            f"store_i32x{lanes}(dst + 256, pairs_i32x{lanes}(load_i16x{lanes}(src), load_i8x{lanes}(src + 64)))",
            f"store_i32x{lanes}(dst + 512, quads_i32x{lanes}(load_u8x{lanes}(src), load_u8x{lanes}(src + 64), "
            f"load_u8x{lanes}(src + 128), load_u8x{lanes}(src + 192)))",
        ],
        "src, dst",
    )
    src, dst = _memory(lanes), np.zeros(256, np.int32)
    kernel(src.ctypes.data, dst.ctypes.data)
    rows = [src[64 * j : 64 * j + lanes] for j in range(4)]
    assert np.array_equal(dst[:lanes], twins.pairs(rows[0], rows[1]))
    assert np.array_equal(dst[64 : 64 + lanes], twins.pairs(src[: 2 * lanes].view(np.int16), rows[1].view(np.int8)))
    assert np.array_equal(dst[128 : 128 + lanes], twins.quads(*rows))


@pytest.mark.parametrize("lanes", [16, 32, 64])
def test_staggered_groups_and_back(compile_kernel: Compile, lanes: int) -> None:
    kernel = compile_kernel(
        [
            f"store_i32x{lanes}(dst, quads_staggered_i32x{lanes}(load_u8x{lanes}(src), load_u8x{lanes}(src + 64), "
            f"load_u8x{lanes}(src + 128), load_u8x{lanes}(src + 192)))",
            f"store_u8x{lanes}(dst + 256, sat_staggered_u8x{lanes}(load_i32x{lanes}(sums)))",
        ],
        "src, sums, dst",
    )
    src, dst = _memory(lanes), np.zeros(128, np.int32)
    sums = np.random.default_rng(lanes).integers(-400, 700, lanes).astype(np.int32)
    sums[:6] = [-(2**31), 2**31 - 1, -1, 0, 255, 256]
    kernel(src.ctypes.data, sums.ctypes.data, dst.ctypes.data)
    rows = [src[64 * j : 64 * j + lanes] for j in range(4)]
    assert np.array_equal(dst[:lanes], twins.quads_staggered(*rows))
    assert np.array_equal(dst[64:].view(np.uint8)[:lanes], twins.sat_staggered(sums))


@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
@pytest.mark.parametrize("window", [64, 128])
@pytest.mark.parametrize("tap", [1, 3, 4])
def test_permuted_groups_read_the_window(compile_kernel: Compile, lanes: int, window: int, tap: int) -> None:
    kernel = compile_kernel(
        [
            f"at = load_i32x{lanes}(offsets)",
            f"bytes_ = load_u8x{window}(src)",
            f"store_i32x{lanes}(dst, permute_pairs_i32x{lanes}(bytes_, at, {tap}))",
            f"store_i32x{lanes}(dst + 64, permute_quads_i32x{lanes}(bytes_, at, {tap}))",
        ],
        "src, offsets, dst",
    )
    src, dst = _memory(window + tap), np.zeros(32, np.int32)
    offsets = np.sort(np.random.default_rng(lanes).integers(0, window - 3 * tap, lanes)).astype(np.int32)
    offsets[-1] = window - 1 - 3 * tap
    kernel(src.ctypes.data, offsets.ctypes.data, dst.ctypes.data)
    assert np.array_equal(dst[:lanes], twins.permute_pairs(src, offsets, tap))
    assert np.array_equal(dst[16 : 16 + lanes], twins.permute_quads(src, offsets, tap))


@pytest.mark.parametrize("lanes", [4, 8, 16])
@pytest.mark.parametrize("tap", [1, 2, 4])
def test_groups_permuted_within_blocks_read_their_own_sixteen_bytes(
    compile_kernel: Compile, lanes: int, tap: int
) -> None:
    kernel = compile_kernel(
        [
            f"at = load_i32x{lanes}(offsets)",
            f"bytes_ = load_u8x{4 * lanes}(src)",
            f"store_i32x{lanes}(dst, permute_blocks_pairs_i32x{lanes}(bytes_, at, {tap}))",
            f"store_i32x{lanes}(dst + 64, permute_blocks_quads_i32x{lanes}(bytes_, at, {tap}))",
            f"store_i32x{lanes}(dst + 128, from_first_of_four(at))",
        ],
        "src, offsets, dst",
    )
    src, dst = _memory(4 * lanes, 64), np.zeros(48, np.int32)
    offsets = np.random.default_rng(lanes).integers(0, 16 - 3 * tap, lanes).astype(np.int32)
    offsets[-1] = 15 - 3 * tap
    kernel(src.ctypes.data, offsets.ctypes.data, dst.ctypes.data)
    assert np.array_equal(dst[:lanes], twins.permute_blocks_pairs(src, offsets, tap))
    assert np.array_equal(dst[16 : 16 + lanes], twins.permute_blocks_quads(src, offsets, tap))
    assert np.array_equal(dst[32 : 32 + lanes], twins.from_first_of_four(offsets))


def test_words_of_a_window_are_taken_from_places_modulo_sixteen(compile_kernel: Compile) -> None:
    kernel = compile_kernel(
        ["store_u8x64(dst, permute_words_u8x64(load_u8x64(src), load_i32x16(places)))"], "src, places, dst"
    )
    src, dst = _memory(64), np.zeros(64, np.uint8)
    places = np.random.default_rng(3).integers(0, 32, 16).astype(np.int32)
    kernel(src.ctypes.data, places.ctypes.data, dst.ctypes.data)
    assert np.array_equal(dst, twins.permute_words(src[:64], places))


def test_a_tap_behind_the_window_leaves_earlier_taps_alone(compile_kernel: Compile) -> None:
    kernel = compile_kernel(
        ["store_i32x16(dst, permute_quads_i32x16(load_u8x128(src), load_i32x16(offsets), 60))"], "src, offsets, dst"
    )
    src, dst = _memory(9), np.zeros(16, np.int32)
    offsets = np.full(16, 120, np.int32)
    kernel(src.ctypes.data, offsets.ctypes.data, dst.ctypes.data)
    assert np.array_equal(dst.view(np.uint8)[::4], np.full(16, src[120]))


@pytest.mark.parametrize("lanes", LANES)
def test_dot_products_add_exactly_and_wrap(compile_kernel: Compile, lanes: int) -> None:
    kernel = compile_kernel(
        [
            f"acc = load_i32x{lanes}(sums)",
            f"store_i32x{lanes}(dst, dot_pairs_i32x{lanes}(acc, load_i32x{lanes}(p), load_i32x{lanes}(q)))",
            f"store_i32x{lanes}(dst + 256, dot_quads_i32x{lanes}(acc, load_i32x{lanes}(p), load_i32x{lanes}(q)))",
        ],
        "sums, p, q, dst",
    )
    for seed in range(4):
        p, q = _memory(seed)[: 4 * lanes], _memory(seed + 50)[: 4 * lanes]
        if seed == 0:  # -32768 * -32768 twice, which saturates where an instruction does
            p.view(np.int16)[:] = q.view(np.int16)[:] = -32768
        if seed == 1:  # the largest sums of bytes
            p[:], q.view(np.int8)[:] = 255, -128
        sums = np.random.default_rng(seed).integers(-(2**31), 2**31, lanes).astype(np.int32)
        dst = np.zeros(128, np.int32)
        kernel(sums.ctypes.data, p.ctypes.data, q.ctypes.data, dst.ctypes.data)
        assert np.array_equal(dst[:lanes], twins.dot_pairs(sums, p, q))
        assert np.array_equal(dst[64 : 64 + lanes], twins.dot_quads(sums, p, q))


def test_blocks_are_permuted_by_tables_of_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    """What LLVM makes for NEON of it; whether it runs there, an x86 cannot say."""
    monkeypatch.setattr(target, "features", lambda: frozenset({"neon"}))
    module, bytes64 = ir.Module(), ir.VectorType(ir.IntType(8), 64)
    function = ir.Function(module, ir.FunctionType(bytes64, [bytes64, bytes64]), "f")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.ret(permute.moved_in_blocks(builder, *function.args))
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    machine = binding.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu="neoverse-n1")
    assert machine.emit_assembly(binding.parse_assembly(str(module))).count("tbl") == 4
