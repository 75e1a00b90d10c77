"""Names, errors, target selection, other CPUs, and Numba's disk cache."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from numba.core.errors import TypingError

from autosched.codegen.simd import ops, target, twins
from autosched.codegen.simd.definition import FAMILIES
from autosched.codegen.simd.types import ValueType, parse, value_type

Compile = Callable[[Sequence[str], str], Any]


#: What is about memory and threads, and says nothing of values.
WITHOUT_TWINS = {
    "allocate", "release", "scratch_words", "fence", "prefetch",
    "atomic_load", "atomic_add", "exchange", "replace", "pause", "acquire", "unlock", "call_stage",
}  # fmt: skip


def test_every_family_has_a_twin() -> None:
    assert {name for name in FAMILIES if not hasattr(twins, name)} == WITHOUT_TWINS


def test_names() -> None:
    assert ops.load_u8x16 is ops.load_u8x16
    assert ops.vmin.__name__ == "vmin"
    assert value_type("f32x16") is ValueType("f32", 16)
    assert [parse(name) for name in ("u8x1", "i7", "f16", "u8x", "u8x0", "")] == [None] * 6
    for name in ("load_u7", "load", "vmin_u8", "nothing", "load_u8x1"):
        with pytest.raises(AttributeError, match=f"no operation '{name}'.*cast_T"):
            getattr(ops, name)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("load_u8(a) + load_i8(a)", r"\+ needs operands of one value type, not u8 and i8"),
        ("load_u8(a) + 1", r"\+ needs operands of one value type, not u8 and .*int"),
        ("load_i32x4(a) / load_i32x4(a)", r"/ is not defined on i32x4; it needs floats"),
        ("load_f32(a) // load_f32(a)", r"// is not defined on f32; it needs integers"),
        ("load_f32(a) & load_f32(a)", r"& is not defined on f32; it needs integers or b1"),
        ("load_b1(a) + load_b1(a)", r"\+ is not defined on b1; it needs integers or floats"),
        ("load_u8(1.5)", r"load_u8: addr must be a plain Numba integer, not float64"),
        ("load_u8(load_i64(a))", r"load_u8: addr must be a plain Numba integer, not i64"),
        ("store_u8(a, load_i8(a))", r"store_u8: v must be u8, not i8"),
        ("cast_u8x8(load_i8x4(a))", r"cast_u8x8: v must have 8 lanes, but it is i8x4"),
        ("gather_f32x4(a, load_f32x4(a))", r"gather_f32x4: offsets must have 4 integer lanes"),
        (
            "permute_i32x4(load_u8x64(a), load_i32x4(a))",
            r"permute_i32x4: only 2 lanes or more of one-byte and two-byte",
        ),
        ("permute_u8x4(load_u8x32(a), load_i32x4(a))", r"permute_u8x4: window must be u8x64 or u8x128, not u8x32"),
        ("slice_u8x16(load_u8x64(a), 4, 4)", r"slice_u8x16: bytes 4 to 64 are not all in u8x64"),
        ("slice_u8x16(load_u8x64(a), a, 4)", r"slice_u8x16: begin must be an integer that is written in the source"),
        ("slice_i32x4(load_u8x64(a), 0, 4)", r"slice_i32x4: only 2 lanes or more of one-byte and two-byte"),
        ("concat_u8x32(load_u8x16(a), load_u8x8(a))", r"concat_u8x32: second must be u8x16, not u8x8"),
        ("from_first_of_four(load_i32x2(a))", r"from_first_of_four: v must have 4, 8, 16, … lanes of integers"),
        (
            "permute_blocks_quads_i32x8(load_u8x64(a), load_i32x8(a), 1)",
            r"permute_blocks_quads_i32x8: window must be u8x32, not u8x64",
        ),
        ("permute_words_u8x32(load_u8x32(a), load_i32x8(a))", r"permute_words_u8x32: window must be u8x64, not u8x32"),
        ("permute_words_u8x64(load_u8x64(a), load_i32x8(a))", r"permute_words_u8x64: places must be i32x16, not i32x8"),
        ("permute_words_i32x16(load_u8x64(a), load_i32x16(a))", r"permute_words_i32x16: windows are u8x64"),
        ("vmin(load_u8(a), load_i8(a))", r"vmin: b must be u8, not i8"),
        ("round_bf16(load_f64(a))", r"round_bf16: v must be f32, not f64"),
        ("vsqrt(load_u8(a))", r"vsqrt is not defined on u8; it needs floats"),
        ("reduce_add(load_f32x4(a))", r"reduce_add is not defined on f32x4; it needs integers"),
        ("select(load_u8(a), load_u8(a), load_u8(a))", r"select: condition must be b1, not u8"),
        ("const_i32(0.5)", r"const_i32: x must be a Python integer, not float64"),
        ("index(load_i32x4(a))", r"index: v must be a scalar integer, not i32x4"),
        ("bool_(load_u8(a))", r"bool_: v must be b1, not u8"),
        ("splat_u8x4(load_i8(a))", r"splat_u8x4: s must be u8, not i8"),
    ],
)
def test_errors_name_the_argument(compile_kernel: Compile, expression: str, message: str) -> None:
    with pytest.raises(TypingError, match=message):
        compile_kernel([f"x = {expression}"], "a")


@pytest.mark.parametrize(
    ("machine", "cpu", "listed", "has", "lacks"),
    [
        ("x86_64", "x86-64", "", {"sse2"}, {"ssse3", "avx2"}),
        ("x86_64", "haswell", "", {"sse2", "avx2"}, {"avx512f"}),
        ("x86_64", "haswell", "+avx512vbmi", {"avx512vbmi", "avx512bw", "avx512f"}, {"avx512vnni"}),
        ("x86_64", "znver4", "", {"avx512vbmi", "avx512vnni", "avx512bw", "avx2"}, set()),
        ("x86_64", "znver4", "-avx512f", {"avx2"}, {"avx512f", "avx512bw", "avx512vbmi"}),
        ("x86_64", "znver4", "-avx2,+avx512bw", {"avx"}, {"avx2", "avx512bw", "avx512vbmi"}),
        ("x86_64", "no-such-cpu", "+avx2,-avx512f", {"avx2", "sse2"}, {"avx512f"}),
        ("aarch64", "neoverse-n1", "+neon,-sve", {"neon"}, {"sve", "sse2"}),
    ],
)
def test_features(machine: str, cpu: str, listed: str, has: set[str], lacks: set[str]) -> None:
    found = target.resolve(machine, cpu, listed)
    assert has <= found
    assert not lacks & found


def run_python(arguments: list[str], **environment: str) -> str:
    """Standard output of another Python process that sees this checkout."""
    root = str(Path(ops.__file__).parents[3])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SMOKE = (
    "test_values[u8x16] or test_values[f32x8] or test_values[u64x8] or test_memory[u8x16] or test_memory[i16x16]"
    " or (groups and 8) or touch_only_active_lanes[u8x16] or control_flow or contracted"
)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names CPUs of x86-64")
@pytest.mark.parametrize("cpu", ["x86-64", "x86-64-v2", "haswell", "skylake-avx512", "cascadelake"])
def test_lesser_cpus(cpu: str) -> None:
    """The same tests hold without VBMI, VNNI, AVX-512, AVX2 and SSSE3."""
    if not target.resolve("x86_64", cpu, "") <= target.features():
        pytest.skip(f"this machine cannot run code for {cpu}")
    here = Path(__file__).parent
    files = [str(here / f"test_simd_{part}.py") for part in ("values", "memory", "kernels", "groups")]
    pytest_options = ["-q", "-p", "no:cacheprovider", "-k", SMOKE]
    settings = {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    output = run_python(["-m", "pytest", *pytest_options, *files], **settings)
    assert " passed" in output


KERNEL = """
from numba import int64, njit, void
from autosched.codegen.simd.ops import allocate, cast_f32x16, const_i32x16, dot_pairs_i32x16, pairs_i32x16
from autosched.codegen.simd.ops import load_i16x16, load_u8x64, permute_i16x16, iota_i32x16, release
from autosched.codegen.simd.ops import store_f32x16, vmin

@njit(void(int64, int64), nogil=True, cache=True, error_model="numpy", boundscheck=False)
def kernel(src, out):
    scratch = allocate(64)
    x, y = load_i16x16(src), permute_i16x16(load_u8x64(src), iota_i32x16())
    acc = vmin(dot_pairs_i32x16(const_i32x16(5), pairs_i32x16(x, x), pairs_i32x16(y, y)), const_i32x16(900))
    store_f32x16(out, cast_f32x16(acc))
    release(scratch)
"""

RUN = """
import json, sys, warnings
import numpy as np
warnings.simplefilter("error")
from generated import kernel
source, out = np.arange(64, dtype=np.int16), np.zeros(16, np.float32)
kernel(source.ctypes.data, out.ctypes.data)
print(json.dumps([sum(kernel.stats.cache_hits.values()), out.tolist()]))
"""


def test_second_process_loads_from_numbas_cache(tmp_path: Path) -> None:
    (tmp_path / "generated.py").write_text(KERNEL)
    (tmp_path / "run.py").write_text(RUN)
    settings = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first, second = (json.loads(run_python([str(tmp_path / "run.py")], **settings)) for _ in "12")
    assert (first[0], second[0]) == (0, 1)
    assert first[1] == second[1]
