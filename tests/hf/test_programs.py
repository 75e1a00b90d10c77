"""Accelerated processors in real programs: worker processes, pools of threads, asyncio; how many threads they use."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import autosched
from autosched.vlm import parts

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
datasets = pytest.importorskip("datasets")
FIVE = int(transformers.__version__.split(".")[0]) >= 5


def processor() -> Any:
    made = transformers.GotOcr2ImageProcessorPil if FIVE else transformers.GotOcr2ImageProcessor
    return made(size={"height": 32, "width": 32}, crop_to_patches=True)


def picture(index: int, side: int = 60) -> Image.Image:
    return Image.fromarray(np.random.default_rng(index).integers(0, 256, (side, side + 7 * (index % 5), 3), np.uint8))


def expected(indices: range) -> list[bytes]:
    plain = processor()
    return [plain(picture(i), return_tensors="np")["pixel_values"].tobytes() for i in indices]


class Pictures(torch.utils.data.Dataset):  # type: ignore[misc, name-defined]
    """A data set that preprocesses in its workers."""

    def __init__(self) -> None:
        self.processor = autosched.accelerate(processor())

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[Any, bool]:
        pixels = self.processor(picture(index), return_tensors="pt")["pixel_values"]
        return pixels, self.processor.autosched_explain().accelerated


@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_data_loader(start: str) -> None:
    data = Pictures()
    data[0]  # the parent has run kernels, and its threads, before it forks
    loader = torch.utils.data.DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=start)
    made = list(loader)
    assert all(accelerated for _, accelerated in made)
    assert [pixels.numpy().tobytes() for pixels, _ in made] == expected(range(10))


def preprocess(example: dict[str, Any], processor: Any, folder: Path) -> dict[str, Any]:
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:  # the other process has work to do, too
        time.sleep(0.01)
    pixels = processor(picture(example["index"]), return_tensors="np")["pixel_values"]
    return {"bytes": pixels.tobytes(), "accelerated": processor.autosched_explain().accelerated, "process": os.getpid()}


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_datasets_map_with_two_processes(tmp_path: Path) -> None:
    fast = autosched.accelerate(processor())
    rows = datasets.Dataset.from_dict({"index": list(range(10))})
    # Nothing is taken from a cache of an earlier run.
    given = {"processor": fast, "folder": tmp_path}
    made = rows.map(preprocess, fn_kwargs=given, num_proc=2, new_fingerprint=uuid.uuid4().hex)
    assert all(made["accelerated"])
    assert list(made["bytes"]) == expected(range(10))
    assert len(set(made["process"])) == 2 and os.getpid() not in made["process"]


def test_pool_of_eight_threads() -> None:
    fast = autosched.accelerate(processor())

    def one(index: int) -> tuple[bytes, bool]:
        made = fast(picture(index), return_tensors="np")["pixel_values"].tobytes()
        return made, fast.autosched_explain().accelerated

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one, range(40)))
    assert all(accelerated for _, accelerated in made)
    assert [pixels for pixels, _ in made] == expected(range(40))


def test_asyncio_with_an_executor() -> None:
    fast = autosched.accelerate(processor())

    async def everything() -> list[bytes]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(2) as pool:
            calls = [
                loop.run_in_executor(pool, lambda i=i: fast(picture(i), return_tensors="np")["pixel_values"].tobytes())
                for i in range(8)
            ]
            return list(await asyncio.gather(*calls))

    assert asyncio.run(everything()) == expected(range(8))


COUNT = """
import threading, numpy as np, transformers, autosched
from PIL import Image
name = "CLIPImageProcessorPil" if int(transformers.__version__.split(".")[0]) >= 5 else "CLIPImageProcessor"
fast = autosched.accelerate(getattr(transformers, name)(), threads=%s)
image = Image.fromarray(np.zeros((1500, 1500, 3), np.uint8))
fast(image, return_tensors="np")
most, done = 0, threading.Event()
def watch():
    global most
    while not done.is_set():
        most = max(most, sum("autosched" in t.name for t in threading.enumerate()))
watcher = threading.Thread(target=watch, name="watcher")
watcher.start()
for _ in range(5):
    fast([image] * 4, return_tensors="np")
done.set(); watcher.join()
assert fast.autosched_explain().accelerated
print(most)
"""


@pytest.mark.parametrize(("argument", "variable", "limit"), [("None", "1", 1), ("1", "4", 1), ("3", "1", 3)])
def test_no_more_threads_than_configured(argument: str, variable: str, limit: int) -> None:
    environment = {**os.environ, "AUTOSCHED_NUM_THREADS": variable}
    done = subprocess.run(
        [sys.executable, "-c", COUNT % argument], env=environment, capture_output=True, text=True, check=True
    )
    # The caller works too, so the pool has one less than the limit.
    assert int(done.stdout) <= limit - 1, done.stdout


def test_the_interpreter_runs_while_kernels_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread goes on in the middle of a kernel; one that held the GIL would stop it until its end."""
    made = transformers.CLIPImageProcessorPil if FIVE else transformers.CLIPImageProcessor
    fast = autosched.accelerate(made(size={"height": 3000, "width": 3000}, do_center_crop=False), threads=1)
    image = picture(0, 1500)
    fast(image, return_tensors="np")
    ticks: list[float] = []
    middles: list[tuple[float, float]] = []
    real = parts.run_calls

    def timed(calls: Any, threads: Any = None) -> None:
        begin = time.perf_counter()
        real(calls, threads)
        quarter = (time.perf_counter() - begin) / 4
        middles.append((begin + quarter, begin + 3 * quarter))

    monkeypatch.setattr(parts, "run_calls", timed)
    done = threading.Event()

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.0005)

    thread = threading.Thread(target=tick)
    thread.start()
    found = False
    for _ in range(1000):
        fast(image, return_tensors="np")
        begin, end = middles[-1]
        found = any(begin < tick < end for tick in ticks)
        if found:
            break
    done.set()
    thread.join()
    assert found
