"""The host part of Qwen-VL: the size rule, the shapes of the output and the checks of what is bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosched.errors import ArgumentError, BindError
from autosched.vlm.preparation import Preparation
from autosched.vlm.qwen_vl import QwenVL, smart_resize

sides = st.one_of(st.integers(1, 64), st.integers(1, 5000), st.integers(1, 40).map(lambda n: 14 * n))
limits = st.sampled_from([(3136, 12845056), (65536, 16777216), (3136, 1003520), (1, 100), (200704, 200704)])


@given(sides, sides, st.sampled_from([14, 28, 32, 56]), limits)
@settings(max_examples=1000, deadline=None)
def test_sizes_are_hugging_faces(height: int, width: int, factor: int, limit: tuple[int, int]) -> None:
    pytest.importorskip("transformers", reason="transformers is not installed")
    try:
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as oracle
    except ImportError:
        from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize as oracle
    arguments = (height, width, factor, *limit)

    def answer(rule: Callable[..., tuple[int, int]]) -> tuple[int, int] | str:
        try:
            return rule(*arguments)
        except ValueError as error:
            return str(error)

    assert answer(smart_resize) == answer(oracle)


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (42, 70, (56, 56)),  # 1.5 and 2.5 multiples of 28: ties go to even
        (14, 98, (28, 168)),  # half a multiple goes to 0, then the image is too small and grows
        (1, 200, (28, 812)),
    ],
)
def test_known_sizes(height: int, width: int, expected: tuple[int, int]) -> None:
    assert QwenVL().smart_resize(height, width, 3136, 12845056) == expected


def test_shapes_follow_the_settings() -> None:
    kernel = QwenVL(patch_size=16, temporal_patch_size=3, merge_size=4)
    assert kernel.factor == 64
    assert kernel.row_length == 3 * 3 * 16 * 16
    assert kernel.grid((128, 64)) == (8, 4)
    assert kernel.rows([(128, 64), (64, 64)]) == 32 + 16


def test_equal_settings_are_equal_kernels() -> None:
    assert QwenVL() == QwenVL(Preparation("torchvision"))
    assert hash(QwenVL(patch_size=16)) == hash(QwenVL(patch_size=16))
    assert QwenVL() != QwenVL().prepared(reference="pil")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"patch_size": 0}, "patch_size is 0; it must be at least 1"),
        ({"merge_size": -2}, "merge_size is -2"),
    ],
)
def test_bad_settings_say_what_to_do(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        QwenVL(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reference": "pillow"}, "Unknown reference 'pillow'; choose one of torchvision, pil"),
        ({"do_rescale": False, "do_normalize": False}, "the torchvision reference is uint8"),
    ],
)
def test_bad_preparations_say_what_to_do(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        QwenVL().prepared(**arguments)


def image(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.uint8)


def output(rows: int = 4, dtype: Any = np.float32) -> np.ndarray:
    return np.empty((rows, 3 * 2 * 14 * 14), dtype)


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("images", "sizes", "out", "message"),
    [
        ([image(9, 9, 3)], [], output(), "1 images came with 0 sizes"),
        ([image(9, 9)], [(28, 28)], output(), r"Image 0 is uint8 \[9, 9\]; give uint8 \[H, W, C\]"),
        ([image(9, 9, 1)], [(28, 28)], output(), "C >= 3"),
        ([image(0, 9, 3)], [(28, 28)], output(), "at least one pixel"),
        ([image(9, 9, 3).astype(np.float32)], [(28, 28)], output(), "Image 0 is float32"),
        ([image(9, 9, 3)], [(28, 30)], output(), r"Size 0 is \(28, 30\); both sides must be positive multiples of 28"),
        ([image(9, 9, 3)], [(0, 28)], output(0), "positive multiples"),
        ([image(9, 9, 3)], [(28, 28)], output(5), r"The output is float32 \[5, 1176\]; give .* float32 \[4, 1176\]"),
        ([image(9, 9, 3)], [(28, 28)], output(dtype=np.float64), "The output is float64"),
        ([image(9, 9, 3)], [(28, 28)], output(8)[::2], "C-contiguous"),
        ([image(9, 9, 3)], [(28, 28)], read_only(output()), "writable"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(images: Any, sizes: Any, out: np.ndarray, message: str) -> None:
    with pytest.raises(BindError, match=message):
        QwenVL().run(images, sizes, out)


def test_frames_and_strides() -> None:
    """A size that is kept shows the permutation alone, for any strides of the input."""
    pixels = np.random.default_rng(0).integers(0, 256, (56, 84, 4), dtype=np.uint8)
    kernel = QwenVL(Preparation("pil", do_normalize=False, do_rescale=False), temporal_patch_size=2)
    out = np.empty((4 * 6, 3 * 2 * 14 * 14), np.float32)
    kernel.run([pixels], [(56, 84)], out, threads=1)
    for row, (gy, gx) in {0: (0, 0), 1: (0, 1), 2: (1, 0), 4: (0, 2), 12: (2, 0)}.items():
        patch = pixels[14 * gy :][:14, 14 * gx :][:, :14, :3].transpose(2, 0, 1)
        expected = np.repeat(patch[:, None], 2, axis=1).reshape(-1)
        np.testing.assert_array_equal(out[row], expected)
    for other in (np.asfortranarray(pixels), np.repeat(np.repeat(pixels, 2, 0), 3, 1)[::2, ::3], pixels[..., :3]):
        again = np.empty_like(out)
        kernel.run([other], [(56, 84)], again, threads=1)
        np.testing.assert_array_equal(again, out)
