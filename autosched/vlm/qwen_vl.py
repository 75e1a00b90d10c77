"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL: the size rule and the patches of still images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from autosched.errors import ArgumentError, BindError
from autosched.imaging.byte_table import CHANNELS
from autosched.runtime import Call, Memory, Replay, address_of, default_threads, run_calls
from autosched.vlm.passes import BUCKETS, Source, measures, rgb
from autosched.vlm.patches import NAMED, PatchSettings
from autosched.vlm.photographs import specimens
from autosched.vlm.pillow import given_pixels
from autosched.vlm.preparation import HALF, Preparation
from autosched.vlm.registry import KernelFamily, name_of, register
from autosched.vlm.tile_family import processor
from autosched.workload import Binding, Workload

_LARGEST_ASPECT: Final = 200


def smart_resize(height: int, width: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """Returns the size ``(height, width)`` that an image is resized to.

    Both sides are multiples of ``factor``, the area lies between ``min_pixels`` and ``max_pixels`` where that is
    possible, and the aspect ratio changes little. The rounding is that of the models' published code: each side to the
    nearest multiple (ties to even), then both down by the same ratio if the area is too large, or both up if it is too
    small.

    Raises:
        ValueError: one side is more than 200 times the other, in the words that transformers uses.
    """
    aspect = max(height, width) / min(height, width)
    if aspect > _LARGEST_ASPECT:
        raise ValueError(f"absolute aspect ratio must be smaller than {_LARGEST_ASPECT}, got {aspect}")
    new_height = round(height / factor) * factor
    new_width = round(width / factor) * factor
    if new_height * new_width > max_pixels:
        shrink = math.sqrt((height * width) / max_pixels)
        new_height = max(factor, math.floor(height / shrink / factor) * factor)
        new_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif new_height * new_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        new_height = math.ceil(height * grow / factor) * factor
        new_width = math.ceil(width * grow / factor) * factor
    return new_height, new_width


@dataclass(frozen=True)
class QwenVL:
    """Preprocessing of still images with one set of settings; cheap to build, hashable, usable from many threads.

    Attributes:
        preparation: how pixels are made.
        patch_size: side of a patch in pixels.
        temporal_patch_size: how often a patch holds the (one) frame.
        merge_size: side of the square of patches that is contiguous in the output.
    """

    preparation: Preparation = field(default_factory=Preparation)
    patch_size: int = 14
    temporal_patch_size: int = 2
    merge_size: int = 2

    def __post_init__(self) -> None:
        for name in ("patch_size", "temporal_patch_size", "merge_size"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"{name} is {getattr(self, name)}; it must be at least 1.")

    def prepared(self, **changes: Any) -> Self:
        """The same with another `preparation`, by its fields."""
        return replace(self, preparation=replace(self.preparation, **changes))

    @cached_property
    def settings(self) -> PatchSettings:
        """What the pixels depend on."""
        return PatchSettings(self.preparation, self.patch_size, self.merge_size, self.temporal_patch_size)

    @property
    def factor(self) -> int:
        """What both sides of a resized image are a multiple of, in pixels."""
        return self.patch_size * self.merge_size

    @cached_property
    def row_length(self) -> int:
        """Values of one patch: channels x temporal_patch_size x patch_size x patch_size."""
        return CHANNELS * self.temporal_patch_size * self.patch_size**2

    def smart_resize(self, height: int, width: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
        """The size ``(height, width)`` that an image of ``height x width`` pixels is resized to; see `smart_resize`."""
        return smart_resize(height, width, self.factor, min_pixels, max_pixels)

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Rows and columns of patches in an image of ``size`` (height, width)."""
        return size[0] // self.patch_size, size[1] // self.patch_size

    def patches(self, size: tuple[int, int]) -> int:
        """Patches of an image of ``size``: its rows of the output."""
        return size[0] // self.patch_size * (size[1] // self.patch_size)

    def rows(self, sizes: Sequence[tuple[int, int]]) -> int:
        """Patches of all images together: the rows of the output."""
        return sum(map(self.patches, sizes))

    def run(
        self,
        images: Sequence[Source],
        sizes: Sequence[tuple[int, int]],
        out: npt.NDArray[Any],
        threads: int | None = None,
    ) -> None:
        """Resizes, normalises and cuts each image into patches.

        Args:
            images: uint8 ``[H, W, C]`` with C >= 3 of any strides; the first three channels are read. `Bands` have
                three.
            sizes: height and width that each image is resized to, multiples of `factor`.
            out: of the preparation's dtype, ``[rows(sizes), row_length]``, C-contiguous; all of it is written, image
                after image. Within an image, patches come in squares of ``merge_size``; a row is ordered channel,
                frame, y, x.
            threads: upper bound of the threads used, None for the default.

        Raises:
            BindError: an array or a size does not fit.
        """
        self._check(images, sizes, out)
        self._run(images, sizes, out, address_of(out), threads)

    def compute(
        self, images: Sequence[Source], sizes: Sequence[tuple[int, int]], threads: int | None = None
    ) -> npt.NDArray[Any]:
        """A new output of `run`; images and sizes are known to fit."""
        out, address = self.preparation.placed((self.rows(sizes), self.row_length))
        self._run(images, sizes, out, address, threads)
        return out

    def replay(self, image: Memory, size: tuple[int, int], threads: int) -> Replay | None:
        """`compute` of single images like this one, None where it takes more than that."""
        return self.settings.replay(image, size, (self.patches(size), self.row_length), threads)

    def _run(
        self,
        images: Sequence[Source],
        sizes: Sequence[tuple[int, int]],
        out: npt.NDArray[Any],
        address: int,
        threads: int | None,
    ) -> None:
        workers = default_threads() if threads is None else threads
        bind, row = self.settings.bind_at, self.row_length * out.itemsize
        calls: list[Call] = []
        for image, size in zip(images, sizes, strict=True):
            calls.append(bind(address, out, rgb(image), size, workers))
            address += self.patches(size) * row
        run_calls(calls, workers)

    def _check(
        self,
        images: Sequence[Source],
        sizes: Sequence[tuple[int, int]],
        out: npt.NDArray[Any],
    ) -> None:
        if len(images) != len(sizes):
            raise BindError(f"{len(images)} images came with {len(sizes)} sizes; give one size for each image.")
        for index, (image, size) in enumerate(zip(images, sizes, strict=True)):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] < CHANNELS or 0 in image.shape:
                raise BindError(
                    f"Image {index} is {image.dtype} {list(image.shape)}; give uint8 [H, W, C] with at least one pixel "
                    f"and C >= {CHANNELS}."
                )
            if any(side < self.factor or side % self.factor for side in size):
                raise BindError(f"Size {index} is {size}; both sides must be positive multiples of {self.factor}.")
        shape = (self.rows(sizes), self.row_length)
        expected = self.preparation.dtype.dtype
        if out.dtype != expected or out.shape != shape or not out.flags.c_contiguous or not out.flags.writeable:
            raise BindError(
                f"The output is {out.dtype} {list(out.shape)}; give a writable C-contiguous {expected} {list(shape)}."
            )


def workload(settings: QwenVL, images: Sequence[Any], limits: Mapping[str, Any]) -> Workload:
    """The calls that preprocess PIL images as one batch, from Pillow's memory layout, within `limits` of pixels."""
    bindings: list[Binding] = []
    sizes: dict[tuple[int, int], tuple[Any, tuple[int, int]]] = {}
    stretch: list[float] = []
    for image in images:
        width, height = image.size
        size = settings.smart_resize(height, width, *pixel_limits(limits))
        bindings.append(_binding(settings, image, size))
        stretch.append(measures(bindings[-1].given["src"], size)["stretch"])
        sizes.setdefault(image.size, (image, size))

    def checks() -> tuple[Binding, ...]:
        return tuple(_small(settings, *each) for each in list(sizes.values())[:CHECKS])

    spread = {"stretch": float(np.median(stretch))}
    return Workload("images", tuple(bindings), spread, items=len(images), checks=checks)


def outputs(settings: QwenVL, images: Sequence[Any], limits: Mapping[str, Any], threads: int) -> list[npt.NDArray[Any]]:
    """The patches of each image, ``[patches, row_length]``, within `limits` of pixels; see `KernelFamily.compute`."""
    pixels = [given_pixels(image) for image in images]
    least, most = pixel_limits(limits)
    sizes = [settings.smart_resize(each.shape[0], each.shape[1], least, most) for each in pixels]
    rows = [settings.patches(size) for size in sizes]
    out = settings.preparation.empty((sum(rows), settings.row_length))
    settings.run(pixels, sizes, out, threads)
    return np.split(out, np.cumsum(rows)[:-1])


def pixel_limits(limits: Mapping[str, Any]) -> tuple[int, int]:
    """The settings `min_pixels` and `max_pixels`. Raises ArgumentError for what no number of pixels can be."""
    for name, least in (("min_pixels", 0), ("max_pixels", 1)):
        value = limits[name]
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ArgumentError(f"{name} is {value!r}; it must be a whole number, at least {least}")
    return int(limits["min_pixels"]), int(limits["max_pixels"])


def _binding(settings: QwenVL, image: Any, size: tuple[int, int]) -> Binding:
    """The call that brings a PIL image to `size`."""
    return settings.settings.binding(np.asarray(image.convert("RGBX"))[:, :, :CHANNELS], size)


#: Calls that are checked against the interpreter, and the longer side of what their images are resized to, in pixels.
CHECKS, _CHECKED_SIDE = 2, 170


def _small(settings: QwenVL, image: Any, size: tuple[int, int]) -> Binding:
    """The call of the same image made small."""
    width, height = image.size
    (height, width), resized = checked_sizes(settings, (height, width), size)
    return _binding(settings, image.resize((width, height)), resized)


def checked_sizes(
    settings: QwenVL, source: tuple[int, int], size: tuple[int, int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Height and width of a smaller source, and what it is resized to by about the same ratio: the interpreter takes
    seconds a megapixel.
    """
    shrink = max(1.0, max(size) / _CHECKED_SIDE)
    height, width = (max(1, int(side / shrink)) for side in source)
    rows, columns = (max(1, round(side / shrink / settings.factor)) * settings.factor for side in size)
    return (height, width), (rows, columns)


def _processor(backend: str, name: str, settings: QwenVL, limits: Mapping[str, Any]) -> Any:
    """Hugging Face's own processor; raises ImportError where it is not installed."""
    pixels = dict(zip(("min_pixels", "max_pixels"), pixel_limits(limits), strict=True))
    edges = {"shortest_edge": pixels["min_pixels"], "longest_edge": pixels["max_pixels"]}
    make = processor(
        name,
        settings.preparation,
        patch_size=settings.patch_size,
        temporal_patch_size=settings.temporal_patch_size,
        merge_size=settings.merge_size,
        **(pixels if name.startswith("Qwen") else {"size": edges}),
    )
    return make(backend)


#: Name, settings, limits of pixels and what is said of it, as published with the checkpoints.
PUBLISHED: Final = {
    "qwen2-vl": (QwenVL(), (3136, 12845056), "Qwen2-VL"),
    "qwen2.5-vl": (QwenVL(), (3136, 12845056), "Qwen2.5-VL"),
    "qwen3-vl": (QwenVL(Preparation(mean=HALF, std=HALF), patch_size=16), (65536, 16777216), "Qwen3-VL"),
}


def register_patches(
    name: str, settings: QwenVL, pixels: tuple[int, int], title: str, processor_name: str = "Qwen2VLImageProcessor"
) -> None:
    """Registers a model with its limits of `pixels` as `name`, or `name-pil` for that reference.

    `processor_name` is the class of Hugging Face's torchvision processor, as 5.x calls it.
    """
    register(_family(name, settings, pixels, title, processor_name))


def _family(name: str, settings: QwenVL, pixels: tuple[int, int], title: str, processor_name: str) -> KernelFamily:
    reference = settings.preparation.reference
    return patch_family(
        name,
        settings.settings,
        pixels,
        summary=f"{title} still images to patches, bit for bit as transformers' {reference} backend",
        workload=partial(workload, settings),
        compute=partial(outputs, settings),
        space="qwen2.5-vl.toml",
        processors={b: partial(_processor, b, processor_name, settings) for b in ("torchvision", "pil")},
        rounded=lambda dtype: _family(name, settings.prepared(dtype=dtype), pixels, title, processor_name),
    )


def patch_family(name: str, settings: PatchSettings, pixels: tuple[int, int], **rest: Any) -> KernelFamily:
    """A family whose algorithm is that of `settings`, with limits of `pixels`; `rest` are fields of `KernelFamily`."""
    algorithm = settings.resizing
    return KernelFamily(
        name=name_of(name, settings.preparation),
        pipeline=algorithm.pipeline,
        schedules={key: partial(make, algorithm) for key, make in NAMED.items()},
        specimens=specimens,
        settings={"min_pixels": pixels[0], "max_pixels": pixels[1]},
        buckets=BUCKETS,
        dtype=settings.preparation.dtype,
        **rest,
    )


for _name, (_settings, _pixels, _title) in PUBLISHED.items():
    register_patches(_name, _settings, _pixels, _title)
    register_patches(_name, _settings.prepared(reference="pil"), _pixels, _title)
