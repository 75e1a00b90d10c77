"""Run where the wheel is installed without torch: an accelerated call equals Hugging Face's, the entry points of
serving engines make transformers load drop-ins, and a tuning run records.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
from PIL import Image
from transformers import AutoImageProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

import autosched
from autosched.shipped import checkout, shipped

assert checkout() is None, f"autosched is imported from a checkout: {autosched.__file__}"
assert importlib.util.find_spec("torch") is None, "torch is installed; this check is of an environment without it"
assert list(shipped("search_spaces").glob("*.toml")), "the wheel has no search spaces"

image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (123, 211, 3), np.uint8))
processor = Qwen2VLImageProcessorPil()
expected = processor(image, return_tensors="np")
fast = autosched.accelerate(processor)
made = fast(image, return_tensors="np")
assert fast.autosched_explain().accelerated, fast.autosched_explain()
assert made.keys() == expected.keys()
for key, value in expected.items():
    assert made[key].dtype == value.dtype and made[key].shape == value.shape, key
    assert made[key].tobytes() == value.tobytes(), f"{key} differs"

with tempfile.TemporaryDirectory() as folder:
    processor.save_pretrained(folder)
    for group in ("vllm.general_plugins", "sglang.srt.plugins"):
        (plugin,) = (entry for entry in entry_points(group=group) if entry.name == "autosched")
        for _ in range(2):  # engines load plugins in every process, some more than once
            plugin.load()()
        loaded = AutoImageProcessor.from_pretrained(folder, backend="pil")
        assert loaded(image, return_tensors="np")["pixel_values"].tobytes() == expected["pixel_values"].tobytes()
        assert loaded.autosched_explain().accelerated, f"{group}: {loaded.autosched_explain()}"
        autosched.uninstall()
        plain = AutoImageProcessor.from_pretrained(folder, backend="pil")
        assert not hasattr(plain, "autosched_explain"), f"{group}: uninstall left something"

script = Path(sys.executable).with_name("autosched")
subprocess.run([script, "tune", "qwen2.5-vl", "--workload", "720p", "--time-budget", "5s"], check=True)
subprocess.run([script, "explain", "qwen2.5-vl", "--bucket", "native"], check=True)
assert autosched.load("qwen2.5-vl").answer.rung == "exact"
print(f"autosched {autosched.__version__} on Python {sys.version.split()[0]}: accelerated, tuned, loaded")
