"""Drop-ins for the image processors of the Qwen2-VL family, in the three forms that transformers has had.

- 5.x, both backends: the arguments are resolved before ``_preprocess_image_like_inputs``, which reads the images and
  computes. It is replaced.
- 4.57 ``Fast``: the same place, other arguments.
- 4.57 slow: ``preprocess`` resolves the arguments and calls ``_preprocess`` once per image. It runs as it is while
  ``_preprocess`` only records; then all images are computed at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt

from autosched.errors import AutoschedWarning, CacheError, CompileError
from autosched.hf import arguments as read
from autosched.hf.arguments import NotCoveredError
from autosched.hf.drop_in import DropIn
from autosched.hf.explanation import Explanation
from autosched.hf.images import CHANNELS, as_pixels, describe, is_pil, is_plain, is_tensor, require_bytes
from autosched.hf.registry import Support
from autosched.runtime import empty
from autosched.vlm.passes import Pixels
from autosched.vlm.preparation import Reference
from autosched.vlm.qwen_vl import QwenVL

_cached_kernel = lru_cache(maxsize=64)(QwenVL)


@dataclass(frozen=True)
class Settings:
    """The arguments of one call: the kernel and the limits of the size rule, in pixels."""

    kernel: QwenVL
    min_pixels: int
    max_pixels: int

    def resized(self, image: Pixels) -> tuple[int, int]:
        """The size that an image is resized to; `NotCoveredError` where the size rule has none, so that HF raises."""
        height, width = image.shape[:2]
        try:
            size = self.kernel.smart_resize(height, width, self.min_pixels, self.max_pixels)
        except (ValueError, ArithmeticError) as error:
            raise NotCoveredError(f"an image of {width}x{height} pixels has no size: {error}") from error
        if min(size) < self.kernel.factor:
            raise NotCoveredError(f"an image of {width}x{height} pixels would be resized to {size}")
        return size


def read_settings(arguments: Mapping[str, Any], resample: Any, reference: Reference) -> Settings:
    """Turns resolved Hugging Face arguments into settings, or raises `NotCoveredError`."""
    if not arguments.get("do_resize"):
        raise NotCoveredError("do_resize is off")
    size = arguments.get("size")
    # A dict in 4.57's slow processor, a dataclass elsewhere.
    limits = (
        size if isinstance(size, dict) else {key: getattr(size, key, None) for key in ("shortest_edge", "longest_edge")}
    )
    if reference == "torchvision":
        read.require_float32_default()
    read.require_known_tensors(arguments.get("return_tensors"))
    kernel = _cached_kernel(
        reference=reference,
        patch_size=read.positive_int(arguments, "patch_size"),
        temporal_patch_size=read.positive_int(arguments, "temporal_patch_size"),
        merge_size=read.positive_int(arguments, "merge_size"),
        filter=read.resampling_filter(resample, reference),
        **read.byte_steps(arguments, reference),
    )
    return Settings(kernel, read.positive_int(limits, "shortest_edge"), read.positive_int(limits, "longest_edge"))


class _QwenDropIn(DropIn):
    """What the three forms share."""

    __slots__ = ()
    _autosched_reference: ClassVar[Reference]

    def _autosched_compute(
        self, settings: Settings, images: Sequence[Pixels], sizes: Sequence[tuple[int, int]]
    ) -> tuple[npt.NDArray[np.float32], list[list[int]]]:
        """Returns the patches of all images, float32 ``[rows, row_length]``, and the grid ``[1, gh, gw]`` of each."""
        kernel = settings.kernel
        out = empty((kernel.rows(sizes), kernel.row_length), np.float32)
        try:
            kernel.run(images, sizes, out, threads=self._autosched_state.threads)
        except (CompileError, CacheError) as error:
            message = f"autosched could not build its kernel, so Hugging Face's own code runs: {error}"
            warnings.warn(message, AutoschedWarning, stacklevel=2)
            raise NotCoveredError(message) from error
        self._autosched_record(
            Explanation("kernels", f"Qwen-VL patches, {kernel.reference} reference, {kernel.filter}", len(images))
        )
        return out, [[1, *kernel.grid(size)] for size in sizes]

    def _autosched_give_up(self, reason: NotCoveredError) -> None:
        self._autosched_record(Explanation("huggingface", str(reason)))


class _PreparedDropIn(_QwenDropIn):
    """The forms whose ``_preprocess_image_like_inputs`` gets resolved arguments and raw images."""

    __slots__ = ()

    def _autosched_preprocess(
        self, images: Any, settings: Settings, conversion: Mapping[str, Any], return_tensors: Any
    ) -> Any:
        """Converts and computes all images, or raises `NotCoveredError`.

        ``conversion`` holds the arguments of Hugging Face's own conversion of one image, which is used for every image
        that is not plain.
        """
        from transformers.image_processing_base import BatchFeature

        flat = self._prepare_images_structure(images)  # type: ignore[attr-defined]
        if len(flat) == 0:
            raise NotCoveredError("there are no images")
        for image in flat:
            require_bytes(image, bool(conversion.get("do_convert_rgb")))
        pixels = [self._autosched_pixels(image, conversion) for image in flat]
        sizes = [settings.resized(image) for image in pixels]
        patches, grids = self._autosched_compute(settings, pixels, sizes)
        data: dict[str, Any]
        if self._autosched_reference == "torchvision":
            import torch

            data = {
                "pixel_values": torch.from_numpy(patches),
                "image_grid_thw": torch.tensor(grids, dtype=torch.long),
            }
        else:
            data = {"pixel_values": patches, "image_grid_thw": np.array(grids, dtype=np.int64)}
        return BatchFeature(data=data, tensor_type=return_tensors)

    def _autosched_pixels(self, image: Any, conversion: Mapping[str, Any]) -> Pixels:
        if is_plain(image) and (is_pil(image) or conversion.get("input_data_format") is None):
            return as_pixels(image)
        converted = self._autosched_convert(image, conversion)
        array = converted.numpy() if is_tensor(converted) else converted
        if array.ndim != 3 or array.shape[0] != CHANNELS or array.dtype != np.uint8 or 0 in array.shape:
            raise NotCoveredError(f"{describe(image)} was converted to {array.dtype} {list(array.shape)}")
        return as_pixels(array)

    def _autosched_convert(self, image: Any, conversion: Mapping[str, Any]) -> Any:
        """Hugging Face's own conversion of one image to ``[C, H, W]``."""
        raise NotImplementedError


class Qwen5DropIn(_PreparedDropIn):
    """transformers 5.x."""

    __slots__ = ()

    def _preprocess_image_like_inputs(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        images = self.fetch_images(images)  # type: ignore[attr-defined]
        try:
            if args:
                raise NotCoveredError("there are positional arguments after the images")
            read.require_cpu(kwargs.get("device"))
            settings = read_settings(kwargs, kwargs.get("resample"), self._autosched_reference)
            return self._autosched_preprocess(images, settings, kwargs, kwargs.get("return_tensors"))
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
        return super()._preprocess_image_like_inputs(images, *args, **kwargs)  # type: ignore[misc]

    def _autosched_convert(self, image: Any, conversion: Mapping[str, Any]) -> Any:
        return self.process_image(image, **conversion)  # type: ignore[attr-defined]


class Qwen5TorchvisionDropIn(Qwen5DropIn):
    """transformers 5.x, torchvision backend."""

    __slots__ = ()
    _autosched_reference = "torchvision"


class Qwen5PilDropIn(Qwen5DropIn):
    """transformers 5.x, PIL backend."""

    __slots__ = ()
    _autosched_reference = "pil"


class Qwen4FastDropIn(_PreparedDropIn):
    """transformers 4.57, ``use_fast=True``."""

    __slots__ = ()
    _autosched_reference = "torchvision"

    def _preprocess_image_like_inputs(self, images: Any, videos: Any = None, **kwargs: Any) -> Any:
        if images is not None:
            images = self.fetch_images(images)  # type: ignore[attr-defined]
        try:
            if images is None or videos is not None:
                raise NotCoveredError("there are videos")
            if kwargs.get("input_data_format") is not None:
                raise NotCoveredError(f"input_data_format is {kwargs['input_data_format']!r}")
            read.require_cpu(kwargs.get("device"))
            settings = read_settings(kwargs, kwargs.get("interpolation"), self._autosched_reference)
            return self._autosched_preprocess(images, settings, kwargs, kwargs.get("return_tensors"))
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
        return super()._preprocess_image_like_inputs(images, videos, **kwargs)  # type: ignore[misc]

    def _autosched_convert(self, image: Any, conversion: Mapping[str, Any]) -> Any:
        return self._process_image(  # type: ignore[attr-defined]
            image, do_convert_rgb=conversion.get("do_convert_rgb"), input_data_format=None, device=None
        )


@dataclass
class _Recording:
    """The images of one call of the slow processor, and the settings that they share."""

    settings: Settings | None = None
    images: list[Pixels] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)


class Qwen4SlowDropIn(_QwenDropIn):
    """transformers 4.57, ``use_fast=False``."""

    __slots__ = ()
    _autosched_reference = "pil"

    def preprocess(self, images: Any, *args: Any, **kwargs: Any) -> Any:
        if images is not None:
            images = self.fetch_images(images)  # type: ignore[attr-defined]
        try:
            if args or kwargs.get("videos") is not None:
                raise NotCoveredError("there are videos or other positional arguments")
            read.require_known_tensors(kwargs.get("return_tensors"))
            batch, recording = self._autosched_record_images(images, kwargs)
            if recording.settings is None:
                raise NotCoveredError("there are no images")
            patches, _ = self._autosched_compute(recording.settings, recording.images, recording.sizes)
        except NotCoveredError as reason:
            self._autosched_give_up(reason)
            return super().preprocess(images, *args, **kwargs)  # type: ignore[misc]
        # HF computed everything but the patches: the grid is there and of the type that was asked for.
        if is_tensor(batch["image_grid_thw"]):
            import torch

            batch["pixel_values"] = torch.from_numpy(patches)
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
        if recording.settings is None:
            recording.settings = read_settings(kwargs, kwargs.get("resample"), self._autosched_reference)
        if is_pil(images) and kwargs.get("do_convert_rgb"):
            from transformers.image_transforms import convert_to_rgb

            images = convert_to_rgb(images)
        if not (is_plain(images) or (is_pil(images) and images.mode == "RGB")):
            raise NotCoveredError(f"{describe(images)} is not plain RGB")
        if is_pil(images) and images.height in (1, CHANNELS):
            # The slow processor guesses the layout of PIL images too, and takes these rows for channels.
            raise NotCoveredError(f"the image has {images.height} rows, which are read as channels")
        pixels = as_pixels(images)
        size = recording.settings.resized(pixels)
        recording.images.append(pixels)
        recording.sizes.append(size)
        return [], (1, *recording.settings.kernel.grid(size))


_MODULE: Final = "transformers.models.qwen2_vl.image_processing_qwen2_vl"
_PREPARED: Final = (
    "_preprocess_image_like_inputs",
    "_prepare_image_like_inputs",
    "_prepare_images_structure",
    "convert_to_rgb",
    "resize",
    "rescale",
    "normalize",
    "_preprocess",
)
_FUSED: Final = ("rescale_and_normalize", "_fuse_mean_std_and_rescale_factor")

SUPPORT: Final = (
    Support(
        "Qwen2VLImageProcessor",
        _MODULE,
        base="TorchvisionBackend",
        mixin=Qwen5TorchvisionDropIn,
        replaced=(*_PREPARED, *_FUSED, "process_image", "patchify"),
    ),
    Support(
        "Qwen2VLImageProcessorPil",
        "transformers.models.qwen2_vl.image_processing_pil_qwen2_vl",
        base="PilBackend",
        mixin=Qwen5PilDropIn,
        replaced=(*_PREPARED, "process_image", "patchify"),
    ),
    Support(
        "Qwen2VLImageProcessorFast",
        f"{_MODULE}_fast",
        base="BaseImageProcessorFast",
        mixin=Qwen4FastDropIn,
        replaced=(*_PREPARED, *_FUSED, "_process_image"),
    ),
    Support(
        "Qwen2VLImageProcessor",
        _MODULE,
        base="BaseImageProcessor",
        mixin=Qwen4SlowDropIn,
        replaced=("preprocess", "_preprocess", "rescale", "normalize"),
    ),
)
