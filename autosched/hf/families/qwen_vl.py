"""Qwen2-VL, Qwen2.5-VL, Qwen3-VL, GLM-4.1V and 4.6V: patches.

The slow processors of 4.57 resolve their arguments in ``preprocess`` and call ``_preprocess`` once per image: the first
runs as it is while the second only records; then all images are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Final

import numpy as np

from autosched.hf import arguments as read
from autosched.hf.arguments import NotCoveredError
from autosched.hf.explanation import by_kernels
from autosched.hf.family import Arguments, Batch, Family, Replayed, as_tensor, require_columns
from autosched.hf.forms import UNBUILT, FamilyDropIn, Fast4, Pil5, Torchvision5, slow_pixels, supports, unbuilt
from autosched.hf.images import is_tensor
from autosched.runtime import Memory
from autosched.vlm.glm import GlmV
from autosched.vlm.passes import Source
from autosched.vlm.preparation import Preparation
from autosched.vlm.qwen_vl import QwenVL


class PatchFamily(Family):
    """Qwen-VL: the kernel and the limits of the size rule, in pixels."""

    bytes_stay = False
    videos = True
    title: ClassVar[str] = "Qwen-VL"
    made: ClassVar[Callable[..., QwenVL]] = QwenVL

    def __init__(self, arguments: Arguments) -> None:
        if not arguments.flag("do_resize"):
            raise NotCoveredError("do_resize is off")
        size = arguments.get("size")
        # A dict in 4.57's slow processor, a dataclass elsewhere.
        edges = ("shortest_edge", "longest_edge")
        limits = size if isinstance(size, dict) else {key: getattr(size, key, None) for key in edges}
        p = arguments.preparation()
        sides = [arguments.positive_int(name) for name in ("patch_size", "temporal_patch_size", "merge_size")]
        self.kernel = _kernel(self.made, p, *sides)
        self.limits = tuple(read.positive_int(limits, edge) for edge in edges)
        self.summary = f"{self.title} patches, {p.filter}"

    def resized(self, image: Source) -> tuple[int, int]:
        """The size that an image is resized to; `NotCoveredError` where the size rule has none, so that HF raises."""
        return self.within(image, *self.limits)

    def within(self, image: Source, least: int, most: int) -> tuple[int, int]:
        """The same with other limits of pixels."""
        return self._sizes(*image.shape[:2], least, most)

    @cached_property
    def _sizes(self) -> Callable[..., tuple[int, int]]:
        """`_size`, remembered: the same sizes come again and again."""
        return lru_cache(maxsize=1024)(self._size)

    def _size(self, height: int, width: int, least: int, most: int) -> tuple[int, int]:
        try:
            size = self.kernel.smart_resize(height, width, least, most)
        except (ValueError, ArithmeticError) as error:
            raise NotCoveredError(f"an image of {width}x{height} pixels has no size: {error}") from error
        if min(size) < self.kernel.factor:
            raise NotCoveredError(f"an image of {width}x{height} pixels would be resized to {size}")
        require_columns(self.kernel.preparation, [size])
        return size

    def replayed(self, image: Memory, threads: int) -> Replayed | None:
        """As `outputs`."""
        size = self.resized(image)
        replay = self.kernel.replay(image, size, threads)
        grids = np.array([[1, *self.kernel.grid(size)]], dtype=np.int64)
        return None if replay is None else Replayed("pixel_values", replay, {"image_grid_thw": grids})

    def outputs(self, batch: Batch) -> dict[str, Any]:
        """pixel_values, and the grid ``[1, gh, gw]`` of each image."""
        sizes = [self.resized(image) for image in batch.images]
        grids = np.array([[1, *self.kernel.grid(size)] for size in sizes], dtype=np.int64)
        values = batch.wrap(self.kernel.compute(batch.images, sizes, batch.threads))
        return {"pixel_values": values, "image_grid_thw": batch.wrap(grids)}


@lru_cache(maxsize=64)
def _kernel(made: Callable[..., QwenVL], p: Preparation, patch: int, frames: int, merge: int) -> QwenVL:
    """Kept, with what it finds out about its settings."""
    return made(p, patch, frames, merge)


class GlmFamily(PatchFamily):
    """GLM-4.1V and 4.6V."""

    title = "GLM-V"
    made = GlmV

    def __init__(self, arguments: Arguments) -> None:
        super().__init__(arguments)
        self.enlarges = arguments.generation >= 5

    def resized(self, image: Source) -> tuple[int, int]:
        """As Qwen-VL's; 4.57 refuses images that are smaller than a square of patches."""
        height, width = image.shape[:2]
        if not self.enlarges and min(height, width) < self.kernel.factor:
            raise NotCoveredError(f"an image of {width}x{height} pixels has no size in 4.57")
        return super().resized(image)


@dataclass
class _Recording:
    """The images of one call of the slow processor, and the settings that they share."""

    family: PatchFamily | None = None
    images: list[Source] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)


class SlowPatches4(FamilyDropIn):
    """transformers 4.57, ``use_fast=False``."""

    __slots__ = ()
    _autosched_reference = "pil"
    _autosched_generation = 4
    _autosched_family: ClassVar[type[PatchFamily]]

    def preprocess(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        if images is not None:
            with suppress(Exception):  # which Hugging Face's own code raises, after errors of other arguments
                images = self.fetch_images(images)  # type: ignore[attr-defined]
        try:
            if args or kwargs.get("videos") is not None:
                raise NotCoveredError("there are videos or other positional arguments")
            self._autosched_require_type(kwargs.get("return_tensors"))
            self._autosched_require_methods()
            batch, recording = self._autosched_record_images(images, kwargs)
            family = recording.family
            if family is None:
                raise NotCoveredError("there are no images")
            try:
                patches = family.kernel.compute(recording.images, recording.sizes, self._autosched_state.threads)
            except UNBUILT as error:
                raise unbuilt(error) from error
            except MemoryError as error:
                raise NotCoveredError(f"there is not enough memory: {error}") from error
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
            family = None
        if family is None:
            return self._autosched_rounded(super().preprocess(images, *args, **kwargs))  # type: ignore[misc]
        self._autosched_record(by_kernels(family.summary, "pil", len(recording.images)))
        # HF computed everything but the patches: the grid is there and of the type that was asked for.
        if is_tensor(batch["image_grid_thw"]):
            batch["pixel_values"] = as_tensor(patches)
        else:
            batch["pixel_values"] = patches
        return batch

    def _autosched_record_images(self, images: Any, kwargs: Mapping[str, Any]) -> tuple[Any, _Recording]:
        """Runs Hugging Face's ``preprocess`` while ``_preprocess`` records; the result lacks the patches."""
        local = self._autosched_state.local
        recording = local.recording = _Recording()
        try:
            return super().preprocess(images, **kwargs), recording  # type: ignore[misc]
        finally:
            local.recording = None

    def _preprocess(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        recording: _Recording | None = self._autosched_state.local.recording
        if recording is None:
            return super()._preprocess(images, *args, **kwargs)  # type: ignore[misc]
        if args or kwargs.get("input_data_format") is not None:
            raise NotCoveredError("input_data_format is given")
        if kwargs.get("data_format") not in ("channels_first", "channels_last"):
            raise NotCoveredError(f"data_format is {kwargs.get('data_format')!r}")
        if not (kwargs.get("do_rescale") or kwargs.get("do_normalize")):
            raise NotCoveredError("neither do_rescale nor do_normalize is set, so the result is uint8")
        if recording.family is None:
            recording.family = self._autosched_family(Arguments(kwargs, "pil", self, 4))
        pixels = slow_pixels(images, bool(kwargs.get("do_convert_rgb")), self)
        size = recording.family.resized(pixels)
        recording.images.append(pixels)
        recording.sizes.append(size)
        return [], (1, *recording.family.kernel.grid(size))


_FORMS: Final = (Torchvision5, Pil5, Fast4, SlowPatches4)
_METHODS: Final = ("patchify", "_preprocess")
SUPPORT: Final = (
    *supports("qwen2_vl", "Qwen2VLImageProcessor", PatchFamily, _METHODS, _FORMS),
    *supports("glm4v", "Glm4vImageProcessor", GlmFamily, _METHODS, _FORMS),
    *supports("glm46v", "Glm46VImageProcessor", GlmFamily, _METHODS, _FORMS),
)
