"""Settings that hardly anybody has: the bits of Hugging Face all the same, by kernels or by its own code."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from families import EACH, noise, tensors
from PIL import Image
from references import (
    HAS_TORCH,
    TRANSFORMERS_5,
    Computed,
    Oracle,
    assert_same_values,
    check_accelerated,
    check_fallback,
    check_outcome,
    logged,
    oracles,
    outcome,
)

from autosched.errors import AutoschedWarning, ScheduleError
from autosched.hf import accelerate
from autosched.vlm.patches import PatchAlgorithm

CLASSES = ("CLIPImageProcessor", "SiglipImageProcessor", "LlavaNextImageProcessor", "Idefics3ImageProcessor")


def picture(width: int = 70, height: int = 60) -> Image.Image:
    return Image.fromarray(noise(height, width, np.random.default_rng(5)))


@pytest.mark.parametrize("oracle", oracles("Qwen2VLImageProcessor"))
@pytest.mark.parametrize("patch", [1, 3, 7])
@pytest.mark.parametrize("temporal", [1, 3])
def test_patches_of_an_odd_number_of_values(oracle: Oracle, patch: int, temporal: int) -> None:
    size = {"shortest_edge": 784, "longest_edge": 6000}
    processor = oracle.build(patch_size=patch, temporal_patch_size=temporal, size=size)
    check_accelerated(processor, picture(), return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", [o for name in CLASSES for o in oracles(name)])
def test_bytes_that_stay_bytes(oracle: Oracle) -> None:
    processor = oracle.build(do_rescale=False, do_normalize=False)
    for wanted in (None, tensors(oracle)):
        check_fallback(processor, picture, "the result is uint8", return_tensors=wanted)


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
@pytest.mark.parametrize("name", ["image_mean", "image_std"])
def test_numbers_of_numpy(oracle: Oracle, name: str) -> None:
    """torch makes float64 of them, and computes in that."""
    values = [np.float64(0.48), np.float64(0.4), np.float64(0.3)]
    check_fallback(oracle.build(**{name: values}), picture, f"{name} is ", return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
@pytest.mark.parametrize("name", ["do_rescale", "do_normalize"])
def test_flags_of_other_types(oracle: Oracle, name: str) -> None:
    for value in ([1], {"yes": True}, "yes", 1):
        processor = oracle.build()
        setattr(processor, name, value)
        check_outcome(processor, picture, path="either", return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
def test_an_array_that_is_not_used(oracle: Oracle) -> None:
    """Some of Hugging Face's processors refuse it."""
    processor = oracle.build(do_normalize=False, image_mean=np.array([0.5, 0.5, 0.5]))
    check_outcome(processor, picture, path="huggingface", return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", [o for name in CLASSES for o in oracles(name)])
@pytest.mark.parametrize("name", ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb", "size", "image_mean"])
def test_an_attribute_that_is_gone(oracle: Oracle, name: str) -> None:
    processor = oracle.build()
    delattr(processor, name)
    path: Computed = "huggingface" if oracle.slow else "kernels"
    check_outcome(processor, picture, path=path, return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
def test_an_attribute_called_as_an_argument_of_calls(oracle: Oracle) -> None:
    processor = oracle.build(return_tensors=tensors(oracle), data_format="channels_last")
    refused = not TRANSFORMERS_5 and oracle.backend == "torchvision"
    check_outcome(processor, picture, path="huggingface" if refused else "kernels")


@pytest.mark.skipif(TRANSFORMERS_5, reason="only the fast processors of 4.57 resize floats")
@pytest.mark.parametrize("width", [1, 2, 3, 4, 6, 9])
def test_floats_that_are_resized_to_a_column(width: int) -> None:
    (oracle,) = (o.values[0] for o in oracles("SmolVLMImageProcessor") if o.id == "torchvision")
    image = picture(width, 1100)
    drop_in = check_outcome(oracle.build(size={"longest_edge": 364}), lambda: image, path="either", return_tensors="pt")
    if width == 3:
        assert drop_in.autosched_explain().reason == "floats are resized to a width of 1"


def _interface(image: Image.Image) -> dict[str, Any]:
    array = np.full((image.height, image.width, 3), 7, np.uint8)
    return {"shape": array.shape, "typestr": "|u1", "version": 3, "data": array.tobytes()}


#: What types of somebody else's images do otherwise.
OTHERWISE: dict[str, Any] = {
    "convert": lambda image, *args, **kwargs: Image.new("RGB", (40, 30), (1, 2, 3)),
    "resize": lambda image, size, *args, **kwargs: Image.new("RGB", size, (1, 2, 3)),
    "__array_interface__": property(_interface),
}


@pytest.mark.parametrize("oracle", [o for name in (*CLASSES, "Qwen2VLImageProcessor") for o in oracles(name)])
@pytest.mark.parametrize("name", OTHERWISE)
def test_types_of_images_that_are_not_pillows(oracle: Oracle, name: str) -> None:
    image = type("Other", (Image.Image,), {name: OTHERWISE[name]})()
    vars(image).update(vars(picture()))
    path: Computed = "huggingface" if oracle.slow else "kernels"
    for images in (image, [picture(), image]):
        check_outcome(oracle.build(), lambda images=images: images, path=path, return_tensors=tensors(oracle))


@pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_default_device(oracle: Oracle, mode: str) -> None:
    import torch

    processor, image = oracle.build(), picture().convert(mode)
    drop_in = accelerate(processor)
    for device in ("meta", "cpu"):
        with torch.device(device):
            expected, actual = (p(image, return_tensors="pt")["pixel_values"] for p in (processor, drop_in))
            assert drop_in.autosched_explain().accelerated == (device == "cpu" or oracle.backend == "pil")
        assert actual.device == expected.device
    assert torch.equal(actual, expected)


@pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
def test_an_array_that_is_not_writable(oracle: Oracle) -> None:
    """torch warns of it, once in a process unless it is told to do so always."""
    import torch

    array = np.asarray(picture())
    assert not array.flags.writeable
    processor = oracle.build()
    drop_in, always = accelerate(processor), torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        messages = []
        for one in (processor, drop_in):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                one([array, array], return_tensors="pt")
            messages.append([(warning.category, str(warning.message)) for warning in caught])
    finally:
        torch.set_warn_always(always)
    assert drop_in.autosched_explain().accelerated
    assert len(messages[0]) == (2 if oracle.backend == "torchvision" else 0)
    assert messages[1] == messages[0]


@pytest.mark.parametrize(
    "oracle",
    [o for name in ("CLIPImageProcessor", "Qwen2VLImageProcessor", "Glm4vImageProcessor") for o in oracles(name)],
)
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_columns_that_may_be_channels(oracle: Oracle, width: int) -> None:
    """The fast processors of 4.57 log a warning of each such image, PIL images too."""
    processor = oracle.build()
    drop_in, warnings = accelerate(processor), []
    for one in (drop_in, processor):
        with logged() as said:
            outcome(lambda one=one: one([picture(width, 40), picture(width, 40)], return_tensors="pt"))
        warnings.append(said)
    refused = not TRANSFORMERS_5 and "Glm" in oracle.class_name
    assert drop_in.autosched_explain().accelerated == (not refused)
    assert warnings[0] == warnings[1]
    fast4 = not TRANSFORMERS_5 and oracle.backend == "torchvision"
    assert len(warnings[0]) == (2 if fast4 and width in (1, 3) else 0)


@pytest.mark.parametrize("oracle", oracles("Qwen2VLImageProcessor"))
def test_an_array_that_may_have_its_channels_first_or_last(oracle: Oracle) -> None:
    """Its warning is logged once where Hugging Face's own code fails, too."""
    processor, image = oracle.build(), np.zeros((3, 900, 3), np.uint8)
    drop_in, warnings = accelerate(processor), []
    for one in (drop_in, processor):
        with logged() as said:
            error = outcome(lambda one=one: one(image)).error
        assert error is not None and "aspect ratio" in error[1]
        warnings.append(said)
    assert warnings[0] == warnings[1]
    assert len(warnings[0]) >= 1


SMALL: dict[str, dict[str, Any]] = {
    "Qwen2VLImageProcessor": {"patch_size": 1, "merge_size": 1, "size": {"shortest_edge": 10, "longest_edge": 600}},
    "Siglip2ImageProcessor": {"patch_size": 1, "max_num_patches": 40},
}


@pytest.mark.parametrize("oracle", [o for name in CLASSES for o in oracles(name)])
@pytest.mark.parametrize("resized", [True, False])
def test_masked_arrays(oracle: Oracle, resized: bool) -> None:
    array = np.array(picture())
    processor = oracle.build() if resized else oracle.build(do_resize=False, do_center_crop=False)
    check_outcome(
        processor, lambda: np.ma.masked_array(array, array > 200), path="either", return_tensors=tensors(oracle)
    )


@pytest.mark.parametrize(("oracle", "settings"), EACH)
def test_arrays_that_are_turned_around(oracle: Oracle, settings: dict[str, Any]) -> None:
    """torch refuses strides that go back; others read them as they are."""
    array = np.array(picture())
    processor = oracle.build(**settings)
    path: Computed = "kernels" if oracle.backend == "pil" and TRANSFORMERS_5 else "either"
    for axes in ((0,), (1,), (2,), (0, 1), (1, 2)):
        check_outcome(processor, lambda axes=axes: np.flip(array, axes), path=path, return_tensors=tensors(oracle))
    check_outcome(processor, lambda: np.flip(array, 1).transpose(2, 0, 1), path=path, return_tensors=tensors(oracle))


@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1)])
def test_images_that_are_resized_to_a_pixel(oracle: Oracle, size: tuple[int, int]) -> None:
    """torch fails there: an assertion of its own."""
    processor = oracle.build(size={"height": size[0], "width": size[1]}, do_center_crop=False)
    for image in (picture(), picture(1, 1)):
        check_outcome(processor, lambda image=image: image, path="either", return_tensors=tensors(oracle))


@pytest.mark.parametrize(("name", "oracle"), [(name, *oracles(name)[0].values) for name in SMALL], ids=str)
def test_patches_of_images_that_are_resized_to_a_pixel(name: str, oracle: Oracle) -> None:
    pixel = {"max_num_patches": 1} if name.startswith("Siglip2") else {"size": {"shortest_edge": 1, "longest_edge": 1}}
    processor = oracle.build(**{**SMALL[name], **pixel})
    check_outcome(processor, lambda: picture(20, 20), path="huggingface", return_tensors="pt")


@pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
@pytest.mark.parametrize("oracle", [o for name in (*CLASSES, "Qwen2VLImageProcessor") for o in oracles(name)])
def test_sparse_tensors(oracle: Oracle) -> None:
    import torch

    for array in (np.asarray(picture()), np.asarray(picture()).transpose(2, 0, 1)):
        tensor = torch.from_numpy(array.copy()).to_sparse()
        check_outcome(oracle.build(), lambda tensor=tensor: tensor, path="huggingface", return_tensors="pt")


@pytest.mark.parametrize("oracle", [o for name in (*CLASSES, "Qwen2VLImageProcessor") for o in oracles(name)])
def test_nothing_after_the_images(oracle: Oracle) -> None:
    processor = oracle.build()
    drop_in = accelerate(processor)
    expected, actual = (
        outcome(lambda one=one: one(picture(), None, return_tensors=tensors(oracle))) for one in (processor, drop_in)
    )
    assert actual.error == expected.error
    if expected.values is not None:
        assert_same_values(actual.values, expected.values)


#: Settings with numbers that float32 has not, or has no results of.
EXTREME: list[dict[str, Any]] = [
    {"rescale_factor": 1e-40},
    {"rescale_factor": 1e39},
    {"rescale_factor": 1e39, "do_normalize": False},
    {"image_mean": [1e39, 0.5, -1e39]},
    {"image_std": [1e39, 0.5, 0.5]},
    {"image_std": [0.5, 1e-40, 0.5]},
]


@pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("oracle", oracles("CLIPImageProcessor"))
@pytest.mark.parametrize("settings", EXTREME, ids=str)
def test_warnings_of_numbers_that_float32_has_not(oracle: Oracle, settings: dict[str, Any]) -> None:
    """numpy's are errors here; torch has none."""
    check_outcome(oracle.build(**settings), picture, path="either", return_tensors="pt")


@pytest.mark.parametrize(("name", "oracle"), [(name, *o.values) for name in SMALL for o in oracles(name)[:1]], ids=str)
def test_random_images_of_torchvision_in_patches_of_a_pixel(name: str, oracle: Oracle) -> None:
    """Bilinear: torch resizes floats where it has no instructions for bytes, and some images to a single column."""
    processor = oracle.build(resample=Image.Resampling.BILINEAR, **SMALL[name])
    rng = np.random.default_rng(3)
    for width, height in [(3, 200), (9, 400), *rng.integers(8, 120, (10, 2)).tolist()]:
        image = Image.fromarray(noise(height, width, rng))
        check_outcome(processor, lambda image=image: image, path="either", return_tensors=tensors(oracle))


def test_a_schedule_that_is_not_legal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once, and Hugging Face's own code runs."""

    def broken(algorithm: Any, bucket: Any) -> Any:
        raise ScheduleError("vectorize of Func patches: lanes is 1")

    monkeypatch.setattr(PatchAlgorithm, "default", broken)
    oracle = oracles("Qwen2VLImageProcessor")[1].values[0]
    with pytest.warns(AutoschedWarning, match="could not build its kernel, so Hugging Face's own code runs"):
        check_fallback(oracle.build(patch_size=22), lambda: picture(200, 200), "lanes is 1", return_tensors="np")
