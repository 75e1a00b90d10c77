"""Processes that need the same kernel at the same time compile it once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys, time
from autosched import Func, Input, Pipeline, Schedule
from autosched.codegen.build import build
from autosched.lang import f32, variables

y, x = variables("y x")
source, out = Input("source", f32, 2), Func("out")
out[y, x] = source[y, x] * 1.5
print("ready", flush=True)
sys.stdin.readline()
(stage,) = build(Pipeline(out, "compiled_once"), Schedule().vectorize("out", "x", 16)).stages
print(sum(stage.stats.cache_misses.values()), sum(stage.stats.cache_hits.values()))
"""


def test_a_kernel_is_compiled_once(tmp_path: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CODE],
            env={**os.environ, "AUTOSCHED_CACHE_DIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = sorted(process.communicate()[0].split() for process in processes)
    assert said == [["0", "1"], ["1", "0"]]
