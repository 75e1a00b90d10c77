"""The script that runs Hugging Face's own tests, on a checkout of our own with two tests in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.huggingface_tests import models, run, suites

SUITE = """
import numpy as np
import pytest
import transformers
from PIL import Image

name = "CLIPImageProcessorPil" if hasattr(transformers, "CLIPImageProcessorPil") else "CLIPImageProcessor"


def test_shape():
    processor = getattr(transformers, name)(crop_size={"height": 30, "width": 30})
    image = Image.fromarray(np.zeros((40, 50, 3), np.uint8))
    assert processor(image, return_tensors="np").pixel_values.shape == (1, 3, 30, 30)


def test_that_fails():
    assert False, f"drawn {np.random.randint(1000)}"


@pytest.mark.skip
def test_that_is_skipped():
    pass
"""


def test_both_ways(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = tmp_path / "tests" / "models" / "clip"
    folder.mkdir(parents=True)
    (folder / "test_image_processing_clip.py").write_text(SUITE)
    assert "clip" in models() and suites(tmp_path, "siglip") == []
    plain, fast = (run(tmp_path, suites(tmp_path, "clip"), accelerated) for accelerated in (False, True))
    assert (plain.passed, plain.failed, plain.skipped, plain.kernels) == (1, 1, 1, "")
    assert (fast.passed, fast.failed, fast.skipped, fast.kernels) == (1, 1, 1, "1, 0")
    assert fast.failures == plain.failures, "random inputs are the same in both runs"
    ((name, said),) = fast.failures.items()
    assert "test_that_fails" in name and "drawn" in said
