"""The fingerprint of a CPU: read from what systems say, and agreeing with what Numba compiles for."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from autosched.codegen.simd.target import features
from autosched.runtime.cpu import FEATURES, Facts, compose, fingerprint, from_cpuinfo, from_proc, from_sysfs

ZEN4 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 ssse3 sse4_1 sse4_2 avx avx2 avx512f avx512bw avx512vl avx512vbmi avx512_vnni

processor\t: 1
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu sse2 ssse3 sse4_1 sse4_2 avx avx2 avx512f avx512bw avx512vl avx512vbmi avx512_vnni
"""

NEOVERSE = """\
processor\t: 0
Features\t: fp asimd evtstrm aes crc32 atomics asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd0c

processor\t: 1
Features\t: fp asimd evtstrm aes crc32 atomics asimddp
CPU implementer\t: 0x41
CPU architecture: 8
CPU part\t: 0xd0c
"""

CACHES = {"l1d": 32768, "l2": 1 << 20, "l3": 32 << 20}


def test_x86_from_proc() -> None:
    cpu = compose(from_proc(ZEN4, "x86_64"), CACHES, None, None)
    assert cpu.cpu_class == "amd-25-17-avx512vbmi"
    assert cpu.isa == "x86_64-avx512vbmi"
    assert cpu.features[:3] == ("avx512vbmi", "avx512vnni", "avx512bw")
    assert (cpu.cores, cpu.l1d, cpu.l2, cpu.l3) == (1, 32768, 1 << 20, 32 << 20)


def test_arm_from_proc() -> None:
    cpu = compose(from_proc(NEOVERSE, "aarch64"), {}, None, None)
    assert cpu.cpu_class == "arm-8-3340-dotprod"
    assert (cpu.cores, cpu.l2) == (2, 0)


def test_nothing_known() -> None:
    cpu = compose(from_proc("", "riscv64"), {}, None, None)
    assert cpu.cpu_class == "unknown-0-0-baseline"
    assert cpu.isa == "riscv64"


@pytest.mark.parametrize(
    ("name", "listed", "isa"),
    [
        ("haswell", None, "x86_64-avx512vbmi"),  # Numba keeps the host's features under another name
        ("haswell", "+avx2", "x86_64-avx2"),
        ("generic", None, "x86_64"),
        ("GENERIC", None, "x86_64"),
        (None, "+avx2,-avx512f", "x86_64-avx2"),
        (None, "", "x86_64"),
        ("skylake-avx512", "", "x86_64-avx512bw"),
    ],
)
def test_numba_is_told_to_compile_for_another(name: str | None, listed: str | None, isa: str) -> None:
    assert compose(from_proc(ZEN4, "x86_64"), CACHES, name, listed).isa == isa


def test_caches_from_sysfs(tmp_path: Path) -> None:
    for i, (level, kind, size) in enumerate(
        [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("3", "Unified", "32M")]
    ):
        folder = tmp_path / f"index{i}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    (tmp_path / "index9").mkdir()
    assert from_sysfs(tmp_path) == {"l1d": 32 << 10, "l3": 32 << 20}
    assert from_sysfs(tmp_path / "missing") == {}


def test_py_cpuinfo_says_the_same() -> None:
    info = {
        "vendor_id_raw": "AuthenticAMD",
        "family": 25,
        "model": 17,
        "l1_data_cache_size": 32768,
        "l2_cache_size": 1 << 20,
        "l3_cache_size": 32 << 20,
        "flags": ["ssse3", "avx", "avx2", "avx512_vnni", "avx512bw", "avx512f", "avx512vbmi", "sse4_2"],
    }
    asked = compose(*from_cpuinfo(info, "AMD64", 1), None, None)
    assert asked == compose(from_proc(ZEN4, "x86_64"), CACHES, None, None)


def test_features_are_what_numba_targets() -> None:
    """In this process, and in one that is told to compile for a generic CPU."""
    check = (
        "from autosched.codegen.simd.target import features\n"
        "from autosched.runtime.cpu import FEATURES, fingerprint\n"
        "cpu = fingerprint()\n"
        "known = FEATURES.get(cpu.architecture, ())\n"
        "assert set(cpu.features) == features() & set(known), (cpu.features, features())\n"
    )
    told: tuple[dict[str, str], ...] = (
        {"NUMBA_CPU_NAME": "generic"},
        {"NUMBA_CPU_NAME": "haswell"},
        {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2"},
    )
    for names in told:
        subprocess.run([sys.executable, "-c", check], check=True, env={**os.environ, **names})
    cpu = fingerprint()
    assert set(cpu.features) == features() & set(FEATURES.get(cpu.architecture, ()))


def test_class_says_what_matters() -> None:
    base = compose(Facts("x86_64", "intel", 6, 143, ("avx512bw", "avx2"), 8), CACHES, None, None)
    assert base.cpu_class == "intel-6-143-avx512bw"
    assert replace(base, model=1).cpu_class != base.cpu_class
    assert replace(base, features=("avx2",)).cpu_class != base.cpu_class
    assert replace(base, l3=0, cores=2).cpu_class == base.cpu_class
