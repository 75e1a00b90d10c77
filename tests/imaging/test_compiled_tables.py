"""The code that makes tables is compiled once, kept whole or not at all, and the disk is never needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MAKE = """
import json, warnings
from autosched.imaging import coefficients
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    table = coefficients.axis_table(97, 31, "lanczos", "pillow")
functions = (coefficients._windows, coefficients._quantize)
print(json.dumps([
    [table.begin.tolist(), table.weights.tolist(), table.taps, table.precision],
    sum(sum(f.stats.cache_misses.values()) for f in functions),
    [str(w.message) for w in seen],
]))
"""

INTERRUPTED = """
import signal
from autosched import compiled
from autosched.imaging import coefficients

usual, seen = compiled.Stored.save_overload, []

def interrupted(self, *args):
    signal.raise_signal(signal.SIGINT)
    usual(self, *args)
    seen.append("kept")

compiled.Stored.save_overload = interrupted
try:
    coefficients.axis_table(97, 31, "lanczos", "pillow")
except KeyboardInterrupt:
    seen.append("interrupted")
compiled.Stored.save_overload = usual
assert seen == ["kept", "kept", "interrupted"], seen  # the windows, and the filter that they call
assert coefficients.axis_table(97, 31, "lanczos", "pillow").taps > 1
"""


def made(directory: Path) -> list[Any]:
    """A table, how many functions another process had to compile for it, and what it warned of."""
    environment = {**os.environ, "AUTOSCHED_CACHE_DIR": str(directory)}
    ran = subprocess.run([sys.executable, "-c", MAKE], env=environment, capture_output=True, text=True, check=True)
    found: list[Any] = json.loads(ran.stdout)
    return found


def test_tables_are_compiled_once(tmp_path: Path) -> None:
    first, second = made(tmp_path), made(tmp_path)
    assert first[1:] == [2, []] and second == [first[0], 0, []]


@pytest.mark.parametrize("broken", [b"", b"\xff" * 200])
def test_broken_code_is_compiled_anew(broken: bytes, tmp_path: Path) -> None:
    first = made(tmp_path)
    files = list(tmp_path.glob("kernels/*coefficients*.code"))
    assert files
    for file in files:
        file.write_bytes(broken)
    assert made(tmp_path) == first
    assert made(tmp_path) == [first[0], 0, []]


def test_without_a_directory(tmp_path: Path) -> None:
    """The user is told once."""
    (tmp_path / "file").touch()
    table, compiled, warned = made(tmp_path / "file")
    assert compiled == 2 and table == made(tmp_path)[0]
    assert len(warned) == 1 and "file/kernels cannot be written" in warned[0]


def test_an_interrupt_waits_for_a_table(tmp_path: Path) -> None:
    """As for a kernel; a handler that needs a kernel would end the process in the middle of LLVM."""
    environment = {**os.environ, "AUTOSCHED_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", INTERRUPTED], env=environment, check=True)
