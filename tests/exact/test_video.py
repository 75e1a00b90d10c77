"""Video processors against Hugging Face's own, bit for bit: frames in, patches or tiles out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from families import noise
from references import TRANSFORMERS_5, check_accelerated, check_fallback, check_outcome, logged

from autosched.hf import accelerate
from autosched.runtime import Kernel
from autosched.tune.check import reference
from autosched.vlm.registry import get

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

LIMITS = {"size": {"shortest_edge": 28 * 28 * 2, "longest_edge": 28 * 28 * 60}}
#: Class, settings, and the least side of a frame.
CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "qwen2-vl": ("Qwen2VLVideoProcessor", {}, 8),
    "qwen2-vl small": ("Qwen2VLVideoProcessor", LIMITS, 8),
    "qwen2-vl three frames a patch": ("Qwen2VLVideoProcessor", {**LIMITS, "temporal_patch_size": 3}, 8),
    "qwen3-vl": ("Qwen3VLVideoProcessor", {}, 32),
    "qwen3-vl small": ("Qwen3VLVideoProcessor", {"size": {"shortest_edge": 4096, "longest_edge": 131072}}, 32),
    "internvl": ("InternVLVideoProcessor", {"size": {"height": 64, "width": 64}}, 8),
    "internvl crop": (
        "InternVLVideoProcessor",
        {"size": {"height": 64, "width": 64}, "do_center_crop": True, "crop_size": {"height": 40, "width": 72}},
        8,
    ),
    "llava-onevision": ("LlavaOnevisionVideoProcessor", {"size": {"height": 56, "width": 56}}, 8),
}


def video(rng: np.random.Generator, frames: int, least: int) -> Any:
    height, width = (int(side) for side in rng.integers(least, 120, 2))
    return (
        torch.from_numpy(np.stack([noise(height, width, rng) for _ in range(frames)])).permute(0, 3, 1, 2).contiguous()
    )


@pytest.mark.parametrize("name", CASES)
def test_random_videos(name: str) -> None:
    """30 videos, 100 frames and more."""
    cls, settings, least = CASES[name]
    processor = getattr(transformers, cls)(**settings)
    rng = np.random.default_rng(11)
    for index in range(30):
        frames = 3 * int(rng.integers(1, 3)) if "three" in name and not TRANSFORMERS_5 else int(rng.integers(2, 7))
        check_accelerated(
            processor, [video(rng, frames, least)], return_tensors="pt", do_sample_frames=False, **_call(index)
        )


def _call(index: int) -> dict[str, Any]:
    return {"do_normalize": False} if index % 10 == 9 else {}


@pytest.mark.parametrize("name", ["qwen2-vl small", "qwen3-vl small", "internvl", "llava-onevision"])
def test_several_videos(name: str) -> None:
    cls, settings, least = CASES[name]
    processor = getattr(transformers, cls)(**settings)
    rng = np.random.default_rng(2)
    videos = [video(rng, 4, least) for _ in range(3)]
    check_accelerated(processor, videos, return_tensors="pt", do_sample_frames=False)
    arrays = [each.numpy() for each in videos]
    check_accelerated(processor, arrays, return_tensors="pt", do_sample_frames=False)
    if "qwen" not in name and TRANSFORMERS_5:
        check_accelerated(processor, [*videos, video(rng, 2, least)], return_tensors=None, do_sample_frames=False)


@pytest.mark.skipif(not TRANSFORMERS_5, reason="4.57 limits no tokens")
@pytest.mark.parametrize("cls", ["Qwen2VLVideoProcessor", "Qwen3VLVideoProcessor"])
def test_limited_tokens(cls: str) -> None:
    """Limits that bind, that the least size overrules, and that do not bind."""
    rng = np.random.default_rng(5)
    frames = [video(rng, count, 40) for count in (2, 5, 12)]
    grids = set()
    for tokens in (1, 5, 10_000):
        sizes = {"shortest_edge": 28 * 28, "longest_edge": 28 * 28 * 2000}
        processor = getattr(transformers, cls)(size=sizes, max_video_tokens=tokens)
        call = {"return_tensors": "pt", "do_sample_frames": False, "cap_pixels_per_frame": True}
        check_accelerated(processor, frames, **call)
        grids.add(str(processor(videos=frames, **call)["video_grid_thw"].tolist()))
    assert len(grids) == 3


@pytest.mark.skipif(TRANSFORMERS_5, reason="5.x limits tokens")
@pytest.mark.parametrize("cls", ["Qwen2VLVideoProcessor", "Qwen3VLVideoProcessor"])
@pytest.mark.parametrize("settings", [{}, {"max_video_tokens": 1}], ids=str)
def test_a_limit_that_4_57_does_not_know(cls: str, settings: dict[str, Any]) -> None:
    frames = video(np.random.default_rng(5), 4, 40)
    processor = getattr(transformers, cls)(**LIMITS, **settings)
    call = {"return_tensors": "pt", "do_sample_frames": False, "cap_pixels_per_frame": True}
    check_accelerated(processor, frames, **call)


@pytest.mark.parametrize("name", ["qwen2.5-vl-video", "qwen3-vl-video-bf16"])
def test_schedules_of_frames(name: str) -> None:
    """What can be tuned: every named schedule gives the bits of the interpreter, also of a frame that is repeated."""
    family = get(name)
    pipeline = family.pipeline()
    images = family.specimens({"sizes": [[90, 70]], "count": 3})
    kernels = {label: Kernel(pipeline, make(family.buckets[0])) for label, make in family.schedules.items()}
    made = family.workload(images, {"min_pixels": 28 * 28, "max_pixels": 28 * 28 * 6})
    assert len(made.bindings) == 2 and made.items == 3
    for binding in made.bindings:
        right = reference(pipeline, binding)
        for label, kernel in kernels.items():
            assert np.array_equal(kernel(shape=binding.shape, **binding.given), right), label


@pytest.mark.parametrize("name", ["qwen2-vl small", "qwen3-vl small", "internvl"])
@pytest.mark.parametrize("cap", [{}, {"cap_pixels_per_frame": False}], ids=str)
def test_what_is_said_once(name: str, cap: dict[str, Any]) -> None:
    """5.x warns of frames that nothing limits, in a process once."""
    if cap and (not TRANSFORMERS_5 or name == "internvl"):
        pytest.skip("there is no such argument")
    cls, settings, least = CASES[name]
    processor = getattr(transformers, cls)(**settings)
    drop_in = accelerate(processor)
    frames = video(np.random.default_rng(3), 4, least)
    warnings = []
    for one in (drop_in, processor):
        with logged() as said:
            for _ in range(2):
                one(frames, return_tensors="pt", do_sample_frames=False, **cap)
        warnings.append(said)
    assert drop_in.autosched_explain().accelerated
    assert warnings[0] == warnings[1]
    assert len(warnings[0]) == (TRANSFORMERS_5 and not cap and name != "internvl")


def test_sparse_frames() -> None:
    raw = {"input_data_format": "channels_first", "do_convert_rgb": False} if TRANSFORMERS_5 else {}
    frames = video(np.random.default_rng(3), 4, 32)
    processor = transformers.Qwen2VLVideoProcessor()
    check_outcome(processor, frames.to_sparse, path="huggingface", return_tensors="pt", do_sample_frames=False, **raw)


def test_frames_that_are_resized_to_a_pixel() -> None:
    frames = video(np.random.default_rng(3), 4, 32)
    arguments = {"return_tensors": "pt", "do_sample_frames": False}
    pixel = transformers.InternVLVideoProcessor(size={"height": 1, "width": 1})
    check_outcome(pixel, lambda: frames, path="huggingface", **arguments)
    tiny = {"shortest_edge": 1, "longest_edge": 1}
    for cls in ("Qwen2VLVideoProcessor", "Qwen3VLVideoProcessor"):
        processor = getattr(transformers, cls)(size=tiny, patch_size=1, merge_size=1)
        check_outcome(processor, lambda: frames[:, :, :32, :32], path="huggingface", **arguments)


def test_what_falls_back() -> None:
    rng = np.random.default_rng(2)
    processor = transformers.Qwen2VLVideoProcessor(**LIMITS)
    frames = video(rng, 4, 30)
    call = {"return_tensors": "pt", "do_sample_frames": False}
    check_fallback(processor, lambda: [frames.float()], "not a plain tensor of bytes", **call)
    check_fallback(processor, lambda: [torch._neg_view(frames)], "not a plain tensor of bytes", **call)
    check_fallback(processor, lambda: [frames[:, :, :28, :28]], "do_resize is off", do_resize=False, **call)
