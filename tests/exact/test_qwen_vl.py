"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL against Hugging Face's own processors, bit for bit."""

from __future__ import annotations

import io
import os
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from references import (
    HAS_TORCH,
    ORACLES,
    RETURN_TENSORS,
    SETTINGS,
    TRANSFORMERS_5,
    Computed,
    Oracle,
    check_accelerated,
    check_fallback,
    check_outcome,
    outcome,
    pixels,
)

SIZES = int(os.environ.get("AUTOSCHED_EXACT_SIZES", "160"))
"""Random image sizes per backend."""

needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
every_oracle = pytest.mark.parametrize("oracle", ORACLES)


def torch_of(array: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(array)


def native_bilinear() -> bool:
    """Whether torchvision resizes bytes bilinearly without going through float32 on this CPU."""
    import torch

    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") or platform.machine() in ("aarch64", "arm64")


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Random uint8 ``[height, width, 3]``; every third seed has only 0 and 255, which makes the filter overshoot."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return np.where(image > 127, np.uint8(255), np.uint8(0)) if seed % 3 == 0 else image


def rgb(height: int, width: int, seed: int = 1) -> Image.Image:
    return Image.fromarray(noise(height, width, seed))


@st.composite
def image_sizes(draw: st.DrawFn) -> tuple[str, int, int]:
    """A setting's name and an image's height and width, small enough to be quick."""
    name = draw(st.sampled_from(sorted(SETTINGS)))
    kind = draw(st.sampled_from(["tiny", "any", "any", "narrow", "reduced"]))
    if kind == "tiny":
        return name, draw(st.integers(1, 40)), draw(st.integers(1, 40))
    if kind == "narrow":  # up to the largest aspect ratio, and a bit beyond it
        short = draw(st.integers(1, 5))
        sides = [short, draw(st.integers(150 * short, 202 * short))]
        return name, *draw(st.permutations(sides))
    if kind == "reduced":  # down to about 1/8 of each side
        return "small", draw(st.integers(300, 1200)), draw(st.integers(300, 1200))
    return name, draw(st.integers(1, 420)), draw(st.integers(1, 420))


@every_oracle
@settings(max_examples=SIZES, deadline=None, suppress_health_check=list(HealthCheck))
@given(image_sizes(), st.integers(0, 1000))
def test_random_sizes(oracle: Oracle, case: tuple[str, int, int], seed: int) -> None:
    name, height, width = case
    processor = oracle.build(**SETTINGS[name])
    slow_guesses = not TRANSFORMERS_5 and oracle.backend == "pil" and height in (1, 3)
    too_narrow = max(height, width) > 200 * min(height, width)
    path: Computed = "huggingface" if slow_guesses or too_narrow else "kernels"
    drop_in = check_outcome(processor, lambda: rgb(height, width, seed), path=path)
    assert drop_in.autosched_explain() is not None


@every_oracle
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    ("height", "width"),
    [
        (1, 1),
        (1, 200),
        (200, 1),
        (28, 28),
        (32, 64),
        (280, 392),
        (42, 70),  # 1.5 and 2.5 patches: ties of the rounding
        (2, 399),
        (897, 56),  # tall: Pillow 13 resizes rows first
        (57, 1000),
    ],
)
def test_sizes_at_the_edges(oracle: Oracle, name: str, height: int, width: int) -> None:
    processor = oracle.build(**SETTINGS[name])
    check_outcome(processor, lambda: rgb(height, width), path="either")
    if TRANSFORMERS_5 or height not in (1, 3):
        check_accelerated(processor, rgb(height, width))


def photographs() -> dict[str, Callable[[], np.ndarray]]:
    skimage_data = pytest.importorskip("skimage.data", reason="scikit-image is not installed")
    sklearn_datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    return {
        "astronaut": skimage_data.astronaut,
        "coffee": skimage_data.coffee,
        "cat": skimage_data.cat,
        "china": lambda: sklearn_datasets.load_sample_image("china.jpg"),
        "flower": lambda: sklearn_datasets.load_sample_image("flower.jpg"),
    }


@every_oracle
@pytest.mark.parametrize("photograph", ["astronaut", "coffee", "cat", "china", "flower"])
@pytest.mark.parametrize("name", ["qwen2-vl", "qwen3-vl", "small"])
def test_photographs(oracle: Oracle, photograph: str, name: str) -> None:
    image = Image.fromarray(photographs()[photograph]())
    check_accelerated(oracle.build(**SETTINGS[name]), image)


def with_palette_transparency() -> Image.Image:
    image = rgb(60, 70).quantize(16)
    image.info["transparency"] = 3
    return image


def with_palette_alphas() -> Image.Image:
    image = rgb(60, 70).quantize(16)
    image.info["transparency"] = bytes(range(0, 256, 16))
    return image


def with_rgb_transparency() -> Image.Image:
    image = Image.fromarray(noise(60, 70, seed=3))
    image.info["transparency"] = (255, 255, 255)
    return image


def with_alpha() -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 256, (60, 70, 4), dtype=np.uint8), "RGBA")


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 65536, (60, 70), dtype=np.uint16))


MODES: dict[str, Callable[[], Image.Image]] = {
    "L": lambda: rgb(60, 70).convert("L"),
    "LA": lambda: with_alpha().convert("LA"),
    "P": lambda: rgb(60, 70).quantize(16),
    "P transparent index": with_palette_transparency,
    "P alphas": with_palette_alphas,
    "RGB transparent colour": with_rgb_transparency,
    "RGBA": with_alpha,
    "RGBa": lambda: with_alpha().convert("RGBa"),
    "RGBX": lambda: rgb(60, 70).convert("RGBX"),
    "CMYK": lambda: rgb(60, 70).convert("CMYK"),
    "YCbCr": lambda: rgb(60, 70).convert("YCbCr"),
    "HSV": lambda: rgb(60, 70).convert("HSV"),
    "1": lambda: rgb(60, 70).convert("1"),
    "I": lambda: rgb(60, 70).convert("I"),
    "F": lambda: rgb(60, 70).convert("F"),
    "I;16": sixteen_bits,
}


@every_oracle
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("convert", [True, False], ids=["convert", "as it is"])
def test_pil_modes(oracle: Oracle, mode: str, convert: bool) -> None:
    processor = oracle.build(**SETTINGS["qwen2-vl"], do_convert_rgb=convert)
    plain = mode.startswith("RGB ")
    converted = oracle.build().do_convert_rgb and (convert or (plain and not TRANSFORMERS_5))
    check_outcome(processor, MODES[mode], path="kernels" if converted else "either")


ARRAYS: dict[str, Callable[[], np.ndarray]] = {
    "HWC": lambda: noise(50, 64),
    "CHW": lambda: noise(50, 64).transpose(2, 0, 1).copy(),
    "CHW strided": lambda: noise(50, 64).transpose(2, 0, 1),
    "HWC strided": lambda: noise(100, 128)[::2, 1::2],
    "HWC of RGBA": lambda: np.dstack([noise(50, 64), noise(50, 64, 1)[..., :1]])[..., :3],
    "read-only": lambda: np.frombuffer(noise(50, 64).tobytes(), np.uint8).reshape(50, 64, 3),
}
REFUSED_ARRAYS: dict[str, Callable[[], np.ndarray]] = {
    "float": lambda: noise(50, 64).astype(np.float32) / 255,
    "float CHW": lambda: (noise(50, 64).astype(np.float64)).transpose(2, 0, 1),
    "uint16": lambda: noise(50, 64).astype(np.uint16) * 257,
    "int32": lambda: noise(50, 64).astype(np.int32),
    "bool": lambda: noise(50, 64) > 127,
    "backwards": lambda: noise(50, 64)[::-1],
    "one channel": lambda: noise(50, 64)[..., :1].copy(),
    "one channel CHW": lambda: noise(50, 64)[..., 0][None].copy(),
    "four channels": lambda: np.dstack([noise(50, 64), noise(50, 64, 1)[..., 0]]),
    "four channels CHW": lambda: np.dstack([noise(50, 64), noise(50, 64, 1)[..., 0]]).transpose(2, 0, 1).copy(),
    "five channels": lambda: np.zeros((50, 64, 5), np.uint8),
    "3 rows": lambda: noise(3, 64),
    "1 row": lambda: noise(1, 64),
    "4 columns CHW": lambda: noise(50, 4).transpose(2, 0, 1).copy(),
    "2-d": lambda: noise(50, 64)[..., 0],
    "batch": lambda: np.stack([noise(50, 64), noise(50, 64, 1)]),
    "batch CHW": lambda: np.stack([noise(50, 64), noise(50, 64, 1)]).transpose(0, 3, 1, 2),
    "empty": lambda: np.zeros((0, 64, 3), np.uint8),
    "object": lambda: np.full((50, 64, 3), None),
}


@every_oracle
@pytest.mark.parametrize("kind", ARRAYS)
def test_plain_arrays_are_accelerated(oracle: Oracle, kind: str) -> None:
    check_accelerated(oracle.build(**SETTINGS["small"]), [ARRAYS[kind]()])


@needs_torch
@every_oracle
@pytest.mark.parametrize("kind", [kind for kind in ARRAYS if kind != "read-only"])
def test_plain_tensors_are_accelerated(oracle: Oracle, kind: str) -> None:
    check_accelerated(oracle.build(**SETTINGS["small"]), [torch_of(ARRAYS[kind]())])


@every_oracle
@pytest.mark.parametrize("nested", [False, True], ids=["alone", "in a list"])
@pytest.mark.parametrize("kind", REFUSED_ARRAYS)
def test_other_arrays_give_the_same(oracle: Oracle, kind: str, nested: bool) -> None:
    array = REFUSED_ARRAYS[kind]
    check_outcome(oracle.build(**SETTINGS["small"]), lambda: [array()] if nested else array(), path="either")


@needs_torch
@every_oracle
@pytest.mark.parametrize("kind", [kind for kind in REFUSED_ARRAYS if kind not in ("backwards", "object")])
def test_other_tensors_give_the_same(oracle: Oracle, kind: str) -> None:
    array = REFUSED_ARRAYS[kind]
    check_outcome(oracle.build(**SETTINGS["small"]), lambda: [torch_of(array().copy())], path="either")


@every_oracle
@pytest.mark.parametrize("layout", ["channels_first", "channels_last"])
def test_input_data_format(oracle: Oracle, layout: str) -> None:
    processor = oracle.build(**SETTINGS["small"])
    image = noise(50, 64) if layout == "channels_last" else noise(50, 64).transpose(2, 0, 1)
    path: Computed = "kernels" if TRANSFORMERS_5 else "huggingface"
    check_outcome(processor, lambda: [image], path=path, input_data_format=layout)
    check_outcome(processor, lambda: [noise(3, 64), noise(40, 3)], path="either", input_data_format=layout)
    check_outcome(
        processor, lambda: rgb(50, 64), path="kernels" if TRANSFORMERS_5 else "either", input_data_format=layout
    )


@every_oracle
@pytest.mark.parametrize("return_tensors", RETURN_TENSORS)
def test_mixed_batches(oracle: Oracle, return_tensors: str | None) -> None:
    images: list[Any] = [rgb(70, 90), noise(50, 64), rgb(70, 90), noise(65, 40).transpose(2, 0, 1), MODES["CMYK"]()]
    if HAS_TORCH:
        images += [torch_of(noise(33, 44)), torch_of(noise(33, 44)).permute(2, 0, 1)]
    processor = oracle.build(**SETTINGS["small"])
    refused = not TRANSFORMERS_5 and (oracle.backend, return_tensors) == ("torchvision", "np")
    path: Computed = "either" if refused else "kernels"
    check_outcome(processor, lambda: images, path=path, return_tensors=return_tensors)
    for batch in ([images, images[:2]], tuple(images[:3])):  # which 4.57 takes or refuses, by the class
        path = "kernels" if TRANSFORMERS_5 else "either"
        check_outcome(processor, lambda batch=batch: batch, path=path, return_tensors=return_tensors)
    floats = [*images, noise(20, 30).astype(np.float32)]
    check_outcome(processor, lambda: floats, path="huggingface", return_tensors=return_tensors)


@every_oracle
@pytest.mark.parametrize("return_tensors", ["tf", "jax", "mlx", "numpy", 7])
def test_unusual_return_tensors(oracle: Oracle, return_tensors: Any) -> None:
    check_outcome(oracle.build(), lambda: rgb(50, 64), path="huggingface", return_tensors=return_tensors)


ACCELERATED_ARGUMENTS: dict[str, dict[str, Any]] = {
    "pixels": {"min_pixels": 5000, "max_pixels": 20000},
    "size": {"size": {"shortest_edge": 5000, "longest_edge": 20000}},
    "patches": {"patch_size": 16, "merge_size": 1},
    "frames": {"temporal_patch_size": 3},
    "one frame": {"temporal_patch_size": 1},
    "half": {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]},
    "mean of ints": {"image_mean": [0, 1, 0]},
    "rescale only": {"do_normalize": False},
    "normalize only": {"do_rescale": False},
    "factor": {"rescale_factor": 1 / 127.5},
    "bicubic": {"resample": Image.Resampling.BICUBIC},
    "bilinear": {"resample": Image.Resampling.BILINEAR},
    "lanczos": {"resample": Image.Resampling.LANCZOS},
    "ungrouped": {"disable_grouping": True},
    "grouped": {"disable_grouping": False},
    "cpu": {"device": "cpu"},
}
OTHER_ARGUMENTS: dict[str, dict[str, Any]] = {
    "min_pixels": {"min_pixels": 50000},
    "max_pixels": {"max_pixels": 5000},
    "half a size": {"size": {"shortest_edge": 5000}},
    "height and width": {"size": {"height": 56, "width": 56}},
    "int size": {"size": 56},
    "negative pixels": {"size": {"shortest_edge": -5, "longest_edge": 10000}},
    "zero pixels": {"min_pixels": 0, "max_pixels": 10000},
    "no resize": {"do_resize": False},
    "neither": {"do_rescale": False, "do_normalize": False},
    "factor of int": {"rescale_factor": 2},
    "factor of zero": {"rescale_factor": 0.0},
    "scalar mean": {"image_mean": 0.5, "image_std": 0.5},
    "two means": {"image_mean": [0.5, 0.5]},
    "zero std": {"image_std": [0.0, 0.5, 0.5]},
    "zero std alone": {"image_std": [0.0, 0.5, 0.5], "do_rescale": False},
    "nearest": {"resample": Image.Resampling.NEAREST},
    "box": {"resample": Image.Resampling.BOX},
    "hamming": {"resample": Image.Resampling.HAMMING},
    "resample 3": {"resample": 3},
    "resample 9": {"resample": 9},
    "no patches": {"patch_size": 0},
    "unknown": {"unknown": 1},
    "device": {"device": "cpu:0"},
    "no device": {"device": "nowhere"},
    "data format": {"data_format": "channels_last"},
    "bad data format": {"data_format": "sideways"},
}


@every_oracle
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("case", ACCELERATED_ARGUMENTS)
def test_call_arguments(oracle: Oracle, case: str) -> None:
    arguments = ACCELERATED_ARGUMENTS[case]
    processor = oracle.build(**SETTINGS["small"])
    if case == "bilinear" and oracle.backend == "torchvision" and not native_bilinear():
        check_fallback(processor, lambda: rgb(90, 110), "float32", **arguments)
        return
    taken = outcome(lambda: processor(rgb(90, 110), **arguments)).error is None
    path: Computed = "kernels" if taken else "either"
    check_outcome(processor, lambda: [rgb(90, 110), rgb(220, 130)], path=path, **arguments)
    if taken and case not in ("size", "pixels"):  # which some versions take only together
        check_accelerated(oracle.build(**{**SETTINGS["small"], **arguments}), [rgb(90, 110)])


@every_oracle
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::RuntimeWarning", "ignore::UserWarning")
@pytest.mark.parametrize("case", OTHER_ARGUMENTS)
def test_other_arguments_give_the_same(oracle: Oracle, case: str) -> None:
    check_outcome(
        oracle.build(**SETTINGS["small"]), lambda: [rgb(84, 112), rgb(56, 168)], path="either", **OTHER_ARGUMENTS[case]
    )


@needs_torch
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::RuntimeWarning")
@every_oracle
@pytest.mark.parametrize("mode", ["bicubic", "bilinear", "lanczos", "nearest"])
def test_torchvision_interpolation_modes(oracle: Oracle, mode: str) -> None:
    from torchvision.transforms.v2 import InterpolationMode

    check_outcome(
        oracle.build(**SETTINGS["small"]), lambda: rgb(90, 110), path="either", resample=InterpolationMode(mode)
    )


@needs_torch
@every_oracle
def test_other_tensor_kinds_give_the_same(oracle: Oracle) -> None:
    import torch
    from torchvision import tv_tensors

    processor = oracle.build(**SETTINGS["small"])
    check_outcome(processor, lambda: tv_tensors.Image(torch_of(noise(50, 64)).permute(2, 0, 1)), path="huggingface")
    check_outcome(processor, lambda: torch._neg_view(torch_of(noise(50, 64))), path="huggingface")
    with torch.inference_mode():
        check_outcome(processor, lambda: torch_of(noise(50, 64)).permute(2, 0, 1), path="kernels")
    torch.set_default_dtype(torch.float64)
    try:  # a new processor, because Hugging Face's caches mean and std
        check_outcome(oracle.build(), lambda: rgb(50, 64), path="either")
    finally:
        torch.set_default_dtype(torch.float32)


def encoded(format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    rgb(120, 160).save(buffer, format, **options)
    return buffer.getvalue()


@every_oracle
@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "WEBP"])
def test_lazily_opened_files(oracle: Oracle, format: str) -> None:
    data = encoded(format)
    check_accelerated(oracle.build(**SETTINGS["small"]), Image.open(io.BytesIO(data)))
    check_outcome(oracle.build(**SETTINGS["small"]), lambda: Image.open(io.BytesIO(data)), path="kernels")


@every_oracle
@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP"])
@pytest.mark.parametrize("first", [True, False], ids=["first", "after another"])
def test_truncated_files_raise_the_same(oracle: Oracle, format: str, first: bool) -> None:
    data = encoded(format)[: len(encoded(format)) // 2]
    processor = oracle.build(**SETTINGS["small"])

    def images() -> list[Image.Image]:
        truncated = Image.open(io.BytesIO(data))
        return [truncated, rgb(50, 64)] if first else [rgb(50, 64), truncated]

    error = outcome(lambda: processor(images())).error
    assert error is not None and issubclass(error[0], OSError)
    check_outcome(processor, images, path="huggingface")


@every_oracle
def test_truncated_files_that_pillow_was_told_to_load(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = encoded("JPEG")
    processor = oracle.build(**SETTINGS["small"])
    check_outcome(processor, lambda: Image.open(io.BytesIO(data[: len(data) // 2])), path="kernels")


@every_oracle
def test_files_on_disk(oracle: Oracle, tmp_path: Any) -> None:
    path = str(tmp_path / "image.png")
    rgb(90, 70).save(path)
    processor = oracle.build(**SETTINGS["small"])
    check_outcome(processor, lambda: path, path="kernels")
    check_outcome(processor, lambda: [path, rgb(30, 40)], path="kernels")
    check_outcome(processor, lambda: str(tmp_path / "missing.png"), path="huggingface")


@every_oracle
@pytest.mark.skipif(TRANSFORMERS_5, reason="transformers 5 takes no videos here")
def test_videos_give_the_same(oracle: Oracle) -> None:
    video = [np.stack([noise(56, 84, seed) for seed in range(4)])]
    processor = oracle.build(**SETTINGS["small"])
    check_fallback(processor, lambda: rgb(50, 64), "videos", videos=video)
    check_fallback(processor, lambda: None, "videos", videos=video)


@every_oracle
def test_bad_images_raise_the_same(oracle: Oracle) -> None:
    processor = oracle.build(**SETTINGS["qwen2-vl"])
    for images in (
        [],
        [[]],
        None,
        7,
        [None],
        [rgb(20, 30), None],
        [7],
        b"bytes",
        Image.new("RGB", (0, 5)),
        Image.new("RGB", (5, 0)),
        rgb(1, 201),
        rgb(402, 2),
        [rgb(20, 30), rgb(201, 1)],
        [rgb(201, 1), np.zeros((3, 4), np.uint8)],
    ):
        check_outcome(processor, lambda images=images: images, path="huggingface")


def test_the_aspect_error_is_hugging_faces() -> None:
    for oracle in (param.values[0] for param in ORACLES):
        if oracle.backend == "torchvision" and not HAS_TORCH:
            continue
        error = outcome(lambda oracle=oracle: oracle.build()(rgb(2, 403))).error
        assert error == (ValueError, "absolute aspect ratio must be smaller than 200, got 201.5")


@every_oracle
def test_fallbacks_say_why(oracle: Oracle) -> None:
    processor = oracle.build(**SETTINGS["small"])
    check_fallback(processor, lambda: rgb(84, 56), "do_resize is off", do_resize=False)
    check_fallback(processor, lambda: rgb(84, 56), "resample is", resample=Image.Resampling.BOX)
    check_fallback(processor, lambda: [noise(50, 64).astype(np.float32)], "float32")
    check_fallback(processor, lambda: rgb(300, 1), "has no size")


@every_oracle
def test_images_above_one_block_of_pillow(oracle: Oracle) -> None:
    """Pillow keeps more than 16 MB in several blocks, which are read another way."""
    processor = oracle.build(**{**SETTINGS["small"], **pixels(3136, 60000)})
    check_accelerated(processor, rgb(2100, 2100))


@every_oracle
def test_inputs_are_not_modified(oracle: Oracle) -> None:
    array, image = noise(50, 64), rgb(50, 64)
    before = array.copy(), np.array(image)
    drop_in = check_accelerated(oracle.build(), [array, image])
    np.testing.assert_array_equal(array, before[0])
    np.testing.assert_array_equal(np.array(image), before[1])
    first = drop_in([array])["pixel_values"]
    kept = np.asarray(first).copy()
    drop_in([noise(50, 64, 9)])
    np.testing.assert_array_equal(np.asarray(first), kept)
