"""The apps, exponentials and some of the fuzz on lesser CPUs: without AVX-512, and without anything beyond SSE2."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from autosched.codegen.simd import target

TESTS = Path(__file__).parents[1]
#: A schedule of each app with vectors, what exponentials, logarithms and powers are, and a shard of the fuzz.
CHOSEN = "(equals and (blur-sliding or unsharp-rows or harris-lines)) or keep_the_meaning or interpreter_everywhere"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="names CPUs of x86-64")
@pytest.mark.parametrize("cpu", ["haswell", "x86-64"])
def test_smoke(cpu: str, tmp_path: Path) -> None:
    if not target.resolve("x86_64", cpu, "") <= target.features():
        pytest.skip(f"this machine cannot run code for {cpu}")
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
            str(TESTS / "apps"), str(TESTS / "property" / "test_fuzz.py"), str(TESTS / "lang" / "test_elementary.py"),
            "-k", CHOSEN,
        ],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(TESTS.parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "AUTOSCHED_CACHE_DIR": str(tmp_path),
            "AUTOSCHED_FUZZ_CASES": "10",
            "NUMBA_CPU_NAME": cpu,
            "NUMBA_CPU_FEATURES": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout, done.stdout
