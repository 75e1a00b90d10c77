"""What a process pays before its first image is done: importing, the first call, and compiling a kernel.

Every number is of clean processes of its own, in turns, so that nothing of an earlier one is in memory but the files.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.intervals import median

ROOT: Final = Path(__file__).parents[2]
_SECONDS = 60.0
_LEAST, _MOST = 3, 15

#: What programs begin and end with: seconds of the wall and of the CPU.
_CLOCK = "import time; start = time.perf_counter(), time.process_time()"
_SAY = "print(time.perf_counter() - start[0], time.process_time() - start[1])"
_PROCESSOR = """
import numba, numpy as np, torch
from PIL import Image
from transformers import Qwen2VLImageProcessor
import autosched
torch.set_num_threads(1)
processor = autosched.accelerate(Qwen2VLImageProcessor(), threads=1)
image = Image.fromarray(np.zeros((480, 640, 3), np.uint8))
"""
_KERNEL = """
import numba, numpy as np
import autosched
from PIL import Image
image = Image.fromarray(np.zeros((480, 640, 3), np.uint8))
tuned = autosched.load("qwen2.5-vl", threads=1)
"""
#: By part: what is not timed, what is, and whether compiled kernels are there.
_PROGRAMS: Final = {
    "import numba": ("", "import numba", True),
    "import autosched and numba": ("", "import numba; import autosched; autosched.accelerate, autosched.load", True),
    "first call of a drop-in": (_PROCESSOR, 'processor(image, return_tensors="pt")', True),
    "second call of a drop-in": (
        _PROCESSOR + 'processor(image, return_tensors="pt")',
        'processor(image, return_tensors="pt")',
        True,
    ),
    "first call of a kernel": (_KERNEL, "tuned([image])", True),
    "first call of a kernel, nothing compiled": (
        _KERNEL,
        "tuned([image])",
        False,
    ),
}


def cases(selection: Selection) -> Iterator[Case]:
    """One case: processes start on one thread. It knows nothing of families and workloads."""
    if not (selection.families or selection.workloads or selection.implementations) and 1 in selection.threads:
        yield Case("startup", "640x480", 1, ("autosched",), _measure, _SECONDS)


def _measure(effort: Effort) -> Iterator[Number]:
    seen: dict[str, list[tuple[float, float]]] = {part: [] for part in _PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / "warm"
        for untimed, timed, _ in _PROGRAMS.values():  # fills caches of files, and that of kernels
            _run(untimed, timed, warm)
        begin, n = time.perf_counter(), 0
        while n < _LEAST or (n < _MOST and time.perf_counter() - begin < effort.seconds):
            n += 1
            for part, (untimed, timed, compiled) in _PROGRAMS.items():
                effort.say(f"{part}, round {n}")
                seen[part].append(_run(untimed, timed, warm if compiled else Path(folder) / f"cold{n}"))
    for part, pairs in seen.items():
        for measure, place in (("time", 0), ("CPU time", 1)):
            seconds = [pair[place] for pair in pairs]
            yield Number("autosched", measure, median(seconds), "s", part=part, repeats=len(seconds))


def _run(untimed: str, timed: str, cache: Path) -> tuple[float, float]:
    """Seconds of the wall and of the CPU in a new process."""
    cache.mkdir(mode=0o700, exist_ok=True)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    environment: Mapping[str, str] = {**os.environ, "PYTHONPATH": path, "AUTOSCHED_CACHE_DIR": str(cache)}
    program = f"{untimed}\n{_CLOCK}\n{timed}\n{_SAY}"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    wall, cpu = done.stdout.split()[-2:]
    return float(wall), float(cpu)


EXPERIMENTS.add(
    Experiment(
        "startup",
        "Before the first image",
        "How long do importing, a first call and compiling a kernel take in a new process?",
        cases,
    )
)
