"""What is put together by hand lays patches out as the model does, and what is not installed says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments import optional
from experiments.family import FAMILIES, load_class
from experiments.implementation import IMPLEMENTATIONS, NotAvailableError
from experiments.implementations import in_halide, libraries, model_card
from experiments.workloads import WORKLOADS

TINY = WORKLOADS["tiny"]


def test_patches_are_in_the_order_of_the_model() -> None:
    pytest.importorskip("transformers")
    image = np.random.default_rng(0).integers(0, 256, (84, 56, 3), np.uint8)
    processor = load_class("Qwen2VLImageProcessor", "pil")(do_rescale=False, do_normalize=False, do_resize=False)
    expected = processor(image, return_tensors="np")["pixel_values"]
    out = np.zeros(expected.shape, np.float32)
    libraries._patches(image.astype(np.float32), out)
    assert np.array_equal(out, expected)


@pytest.mark.parametrize(
    ("size", "grid"),
    [((448, 448), (1, 1)), ((1024, 1024), (3, 3)), ((1920, 1080), (4, 2)), ((300, 900), (1, 3)), ((500, 500), (1, 1))],
)
def test_grids_of_the_model_card(size: tuple[int, int], grid: tuple[int, int]) -> None:
    """Of grids of one aspect the larger one is taken where the image has more than half of its area."""
    assert model_card._grid(*size) == grid


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("opencv", "pip install opencv-python-headless"),
        ("kornia-rs", "pip install kornia_rs"),
        ("hf-processors-rs", "pip install hf-processors-rs"),
        ("halide", "pip install halide"),
    ],
)
def test_what_is_not_installed_says_how_to_get_it(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(wanted: str) -> Any:
        raise ImportError(wanted)

    monkeypatch.setattr(optional, "import_module", missing)
    monkeypatch.setenv("HL_NUM_THREADS", "1")
    in_halide._program.cache_clear()
    with pytest.raises(NotAvailableError, match=message):
        IMPLEMENTATIONS[name].make(FAMILIES["qwen2.5-vl"], TINY, 1)


def test_halide_in_a_process_of_other_threads_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HL_NUM_THREADS", "2")
    with pytest.raises(NotAvailableError, match="Halide reads its number of threads once a process"):
        IMPLEMENTATIONS["halide"].make(FAMILIES["qwen2.5-vl"], TINY, 1)
