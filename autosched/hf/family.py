"""What a model family adds to a drop-in: reading its arguments, and putting its outputs together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, TypeAlias

import numpy.typing as npt

from autosched.errors import ArgumentError
from autosched.hf import arguments as read
from autosched.hf.arguments import NotCoveredError
from autosched.imaging.byte_table import CHANNELS
from autosched.lang import bf16
from autosched.runtime import Memory, Replay
from autosched.vlm.parts import Plan, run_plans, stacked
from autosched.vlm.preparation import Preparation, Reference
from autosched.vlm.sizes import Size

Planner: TypeAlias = Callable[[int, int], Plan]

#: The type of the bits of bfloat16, which numpy has not; no other output of a processor is of it.
BFLOAT16_BITS: Final = bf16.dtype


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call, resolved by transformers, and the processor that they were given to."""

    values: Mapping[str, Any]
    reference: Reference
    processor: Any
    generation: int

    @property
    def slow(self) -> bool:
        """Whether the processor is a slow one of 4.57, some of which know fewer options."""
        return self.generation < 5 and self.reference == "pil"

    @property
    def fast4(self) -> bool:
        """Whether the processor is a fast one of 4.57."""
        return self.generation < 5 and self.reference == "torchvision"

    def get(self, name: str) -> Any:
        """The value of an argument, None where there is none."""
        return self.values.get(name)

    def flag(self, name: str) -> bool:
        """Whether an argument is true."""
        return bool(self.values.get(name))

    def size(self, name: str = "size") -> dict[str, int]:
        """The sides that a size has, by key; positive ints."""
        value = self.values.get(name)
        if value is None:
            raise NotCoveredError(f"{name} is None")
        keys = ("height", "width", "shortest_edge", "longest_edge", "max_height", "max_width")
        given = dict(value) if isinstance(value, dict) else {key: getattr(value, key, None) for key in keys}
        found = {key: side for key, side in given.items() if side is not None}
        if not found or not found.keys() <= set(keys):
            raise NotCoveredError(f"{name} is {value!r}")
        return {key: read.positive_int(found, key) for key in found}

    def box(self, name: str = "size") -> tuple[int, int]:
        """A size of height and width, and nothing else."""
        size = self.size(name)
        if size.keys() != {"height", "width"}:
            raise NotCoveredError(f"{name} has {sorted(size)}")
        return size["height"], size["width"]

    def positive_int(self, name: str) -> int:
        """An argument that is a positive int."""
        return read.positive_int(self.values, name)

    def preparation(self, floats: bool = False) -> Preparation:
        """The settings of pixels, as every family calls them; `floats`: bytes become floats before they are resized."""
        stay = self.reference == "torchvision" or self.processor._autosched_family.bytes_stay
        resample = self.values["interpolation"] if "interpolation" in self.values else self.values.get("resample")
        filtered, steps = read.resampling(resample, self.reference, floats), read.byte_steps(self.values, stay)
        if self.reference == "pil":
            read.require_no_overflow(steps)
        return Preparation(
            reference=self.reference,
            **filtered,
            **steps,
            dtype=self.processor._autosched_state.dtype,
        )


@dataclass(eq=False)  # not frozen, which makes an object several times as slowly
class Batch:
    """The images of one call.

    Attributes:
        reference: whose types the outputs have.
        images: all images, uint8 ``[H, W, C]`` with C >= 3; some may be `Bands`. Videos,
            uint8 ``[T, H, W, C]``, of a video processor.
        nesting: how many of them belong to each sample; None where they came as a flat list.
        extra: positional arguments that transformers puts between preprocess and its computation.
        stacked: whether tensors or arrays are asked for; otherwise outputs stay lists.
        threads: upper bound of the threads used.
    """

    reference: Reference
    images: Sequence[Any]
    nesting: tuple[int, ...] | None
    extra: tuple[Any, ...]
    stacked: bool
    threads: int | None

    def plans(self, planner: Planner) -> list[Plan]:
        """The plan of each image; NotCoveredError where there is none, so that Hugging Face's own code raises."""
        made: list[Plan] = []
        for image in self.images:
            height, width = image.shape[:2]
            try:
                made.append(planner(height, width))
            except (ArgumentError, ValueError, ArithmeticError) as error:
                raise NotCoveredError(f"an image of {width}x{height} pixels has no size: {error}") from error
            if any(min(part.size) < 1 for part in made[-1].parts):
                raise NotCoveredError(f"an image of {width}x{height} pixels would be resized to nothing")
        return made

    def tiles(self, preparation: Preparation, plans: Sequence[Plan]) -> npt.NDArray[Any]:
        """The tiles of all images one after the other, ``[tiles, 3, height, width]``; one size for all."""
        require_columns(preparation, _sizes(plans))
        if len({plan.tile for plan in plans}) > 1:
            raise NotCoveredError("images have results of different sizes")
        return stacked(preparation, self.images, plans, plans[0].tile, self.threads)

    def run(self, preparation: Preparation, plans: Sequence[Plan], outs: Sequence[npt.NDArray[Any]]) -> None:
        """Computes the tiles of each image into its array ``[tiles, 3, height, width]``."""
        require_columns(preparation, _sizes(plans))
        run_plans(preparation, self.images, plans, outs, self.threads)

    def wrap(self, array: npt.NDArray[Any]) -> Any:
        """An array in the type that the reference works with; the bits of bfloat16 as a tensor of it."""
        return array if self.reference == "pil" and array.dtype != BFLOAT16_BITS else as_tensor(array)

    def listed(self, array: npt.NDArray[Any]) -> Any:
        """What transformers has as a list until it makes tensors: a list of the parts, or the stacked array at once."""
        return self.wrap(array) if self.stacked else [self.wrap(part) for part in array]


def require_columns(preparation: Preparation, sizes: Iterable[Size]) -> None:
    """Refuses what ATen resizes otherwise: floats to a single column, and bytes to a single pixel, which it cannot."""
    if preparation.arithmetic != "integer":
        if any(width == 1 for _, width in sizes):
            raise NotCoveredError("floats are resized to a width of 1")
    elif preparation.reference == "torchvision" and (1, 1) in sizes:
        raise NotCoveredError("bytes are resized to a single pixel")


def _sizes(plans: Sequence[Plan]) -> Iterator[Size]:
    """All that images are resized to, on the way too."""
    for plan in plans:
        for part in plan.parts:
            yield from (part.size, *(canvas.size for canvas in part.via))


def as_tensor(array: npt.NDArray[Any]) -> Any:
    """A tensor of the same memory; the bits of bfloat16 become that."""
    import torch

    made = torch.from_numpy(array)
    return made.view(torch.bfloat16) if array.dtype == BFLOAT16_BITS else made


class Replayed(NamedTuple):
    """The outputs for images of one geometry: what computes the first, and those that only the geometry decides."""

    key: str
    replay: Replay
    others: Mapping[str, npt.NDArray[Any]]


class Family(ABC):
    """The settings of a call of a family's processor, read from its arguments; calls of many threads may share them.

    The constructor raises `NotCoveredError` for what the kernels do not cover.

    Attributes:
        summary: what an explanation calls it.
        nested: whether transformers makes samples of images before it computes.
        samples: whether the lengths of samples are among the outputs.
        slow_converts: whether the slow processors of 4.57 convert images to RGB before they resize them.
        slow_channels: the numbers of channels that the slow processors of 4.57 look for when they guess a layout.
        bytes_stay: whether the PIL backend of 5.x gives bytes where they are neither rescaled nor normalized.
        videos: whether the fast processors of 4.57 take videos after the images.
    """

    summary: str
    nested: ClassVar[bool] = False
    samples: ClassVar[bool] = False
    slow_converts: ClassVar[bool] = True
    slow_channels: ClassVar[tuple[int, ...]] = (1, CHANNELS)
    bytes_stay: ClassVar[bool] = True
    videos: ClassVar[bool] = False

    @abstractmethod
    def __init__(self, arguments: Arguments) -> None: ...

    @abstractmethod
    def outputs(self, batch: Batch) -> dict[str, Any]:
        """The outputs of a batch, with Hugging Face's keys, types and nesting."""

    def replayed(self, image: Memory, threads: int) -> Replayed | None:
        """The outputs for single images like this one, of which `outputs` has made one; None where they take more.

        Nothing of `finish` is done for them.
        """
        return None

    def finish(self, encoding: Any, batch: Batch) -> Any:
        """Changes what transformers' BatchFeature made of the outputs."""
        return encoding
