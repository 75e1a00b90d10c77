"""The byte tables against Hugging Face's own arithmetic on all 256 bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autosched.errors import ArgumentError
from autosched.imaging.byte_table import normalize_table

transformers = pytest.importorskip("transformers", reason="transformers is not installed")
from transformers.image_transforms import normalize, rescale  # noqa: E402
from transformers.image_utils import ChannelDimension  # noqa: E402

try:
    import torch
    import torchvision  # noqa: F401
except ImportError:
    torch = None

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
ODD = ((0.1, 7.0, -3.3), (1e-3, 1.7, 12.9))

every_setting = [
    pytest.mark.parametrize(("mean", "std"), [CLIP, IMAGENET, HALF, ODD], ids=["clip", "imagenet", "half", "odd"]),
    pytest.mark.parametrize("factor", [1 / 255, 1 / 127.5, 0.0078, 1.0]),
    pytest.mark.parametrize(("do_rescale", "do_normalize"), [(True, True), (True, False), (False, True)]),
]

BYTES = np.tile(np.arange(256, dtype=np.uint8), (3, 1))[:, None, :]


def parametrized(test: Any) -> Any:
    for mark in every_setting:
        test = mark(test)
    return test


@parametrized
def test_pillow_flavour_is_the_pil_backends(
    mean: Any, std: Any, factor: float, do_rescale: bool, do_normalize: bool
) -> None:
    first = ChannelDimension.FIRST
    expected = BYTES
    if do_rescale:
        expected = rescale(expected, factor, data_format=first, input_data_format=first)
    if do_normalize:
        expected = normalize(expected, mean, std, data_format=first, input_data_format=first)
    table = normalize_table(mean, std, factor, do_rescale, do_normalize, "pillow")
    assert table.dtype == expected.dtype == np.float32
    np.testing.assert_array_equal(table, expected[:, 0])


@pytest.mark.skipif(torch is None, reason="torch and torchvision are not installed")
@parametrized
def test_torchvision_flavour_is_the_torchvision_backends(
    mean: Any, std: Any, factor: float, do_rescale: bool, do_normalize: bool
) -> None:
    fast = getattr(transformers, "Qwen2VLImageProcessorFast", None) or transformers.Qwen2VLImageProcessor
    images = torch.from_numpy(BYTES)[None]
    expected = fast().rescale_and_normalize(images, do_rescale, factor, do_normalize, mean, std)[0, :, 0]
    table = normalize_table(mean, std, factor, do_rescale, do_normalize, "torchvision")
    assert expected.dtype == torch.float32
    np.testing.assert_array_equal(table, expected.numpy())


def test_without_either_step_the_bytes_stay() -> None:
    table = normalize_table(*CLIP, 1 / 255, False, False, "pillow")
    np.testing.assert_array_equal(table, BYTES[:, 0])


def test_tables_are_shared_and_read_only() -> None:
    table = normalize_table(*CLIP, 1 / 255, True, True, "pillow")
    assert table.shape == (3, 256) and not table.flags.writeable
    assert normalize_table([*CLIP[0]], [*CLIP[1]], 1 / 255, True, True, "pillow") is table


def test_bad_arguments_say_what_to_do() -> None:
    with pytest.raises(ArgumentError, match="mean has 1 values; give 3"):
        normalize_table([0.5], CLIP[1], 1 / 255, True, True, "pillow")
    with pytest.raises(ArgumentError, match="choose torchvision or pillow"):
        normalize_table(*CLIP, 1 / 255, True, True, "hf")  # type: ignore[arg-type]
