"""Where a call spends its time: functions are wrapped, and each stage gets the time that is its own.

Time within a stage that is within another stage is the inner one's. What no stage has is `REST`: reading arguments,
size rules, Python. Bytes are counted in a call of their own: what torch's operators read and write where torch
computes, otherwise the arrays that go into stages and come out as new memory, which is less than what is moved.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final

import numpy as np

REST: Final = "rest"

#: The stages that compute; all others only move bytes, or put them in another order.
COMPUTE: Final = ("resample", "normalise", "kernels")

#: What stages are, in the order of figures.
STAGES: Final[Mapping[str, str]] = {
    "pixels": "Pillow's pixels to an array, channels to planes",
    "grouping": "images of one size to one array, and back",
    "convert": "arrays to the resize's own kind of image, and back",
    "resample": "the resize itself",
    "normalise": "bytes to normalised floats",
    "layout": "crops, padding, tiles, patches",
    "stack": "images to one output, arrays to tensors",
    "kernels": "autosched's kernels: all of it",
    REST: "arguments, size rules, Python",
}

#: Methods of processors, by stage.
_METHODS: Final[Mapping[str, str]] = {
    "process_image": "pixels",
    "resize": "convert",
    "_resize_for_patching": "convert",
    "rescale": "normalise",
    "normalize": "normalise",
    "rescale_and_normalize": "normalise",
    "patchify": "layout",
    "crop_image_to_patches": "layout",
    "_get_image_patches": "layout",
    "get_image_patches": "layout",
    "_pad_for_patching": "layout",
    "_pad_for_batching": "layout",
    "pad": "layout",
    "center_crop": "layout",
}
#: Names in the module of a processor.
_GLOBALS: Final[Mapping[str, str]] = {"group_images_by_shape": "grouping", "reorder_images": "grouping"}
#: Functions of libraries: module, class or "", name, stage. Those that are not there are passed over.
_LIBRARIES: Final = (
    ("PIL.Image", "Image", "resize", "resample"),
    ("PIL.Image", "Image", "crop", "layout"),
    ("torchvision.transforms.v2.functional", "", "resize", "resample"),
    ("torchvision.transforms", "ToTensor", "__call__", "normalise"),
    ("torchvision.transforms", "Normalize", "forward", "normalise"),
    ("torch", "", "stack", "stack"),
    ("torch", "", "cat", "stack"),
    ("numpy", "", "stack", "stack"),
    ("numpy", "", "concatenate", "stack"),
    ("transformers.image_processing_base", "BatchFeature", "convert_to_tensors", "stack"),
    ("transformers.feature_extraction_utils", "BatchFeature", "convert_to_tensors", "stack"),
    ("autosched.vlm.qwen_vl", "", "run_calls", "kernels"),
    ("autosched.vlm.parts", "", "run_calls", "kernels"),
    ("autosched.vlm.video", "", "run_calls", "kernels"),
)


@dataclass
class Trace:
    """Seconds, and bytes that were read and written, by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    counting: bool = False
    _open: list[list[Any]] = field(default_factory=list)

    def call(self, stage: str, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function as a part of a stage."""
        entry: list[Any] = [stage, 0.0]
        self._open.append(entry)
        begin = time.perf_counter()
        try:
            result = function(*args, **kwargs)
        finally:
            elapsed = time.perf_counter() - begin
            self._open.pop()
            self.seconds[stage] = self.seconds.get(stage, 0.0) + elapsed - entry[1]
            if self._open:
                self._open[-1][1] += elapsed
        if self.counting and stage not in (REST, "kernels"):
            self._count_arrays(stage, (args, kwargs), result)
        return result

    def count(self, moved: int) -> None:
        """Adds bytes to the stage that is running."""
        stage = self._open[-1][0] if self._open else REST
        self.moved[stage] = self.moved.get(stage, 0) + moved

    def _count_arrays(self, stage: str, given: Any, result: Any) -> None:
        """Arrays of numpy and images of Pillow; torch's operators are counted one by one."""
        before, after = dict(_arrays(given)), dict(_arrays(result))
        new = {at: size for at, size in after.items() if at not in before}
        if new:
            self.moved[stage] = self.moved.get(stage, 0) + sum(before.values()) + sum(new.values())


@contextmanager
def traced(processor: type | None, counting: bool = False) -> Iterator[Trace]:
    """While it is entered, stages of a processor's class and of libraries are timed."""
    trace = Trace(counting=counting)
    undo: list[tuple[Any, str, Any]] = []
    for holder, name, stage in _places(processor):
        original = getattr(holder, name, None)
        if original is None:
            continue
        undo.append((holder, name, vars(holder).get(name)))
        setattr(holder, name, _wrapped(trace, stage, original))
    try:
        if counting:
            with _counted(trace):
                yield trace
        else:
            yield trace
    finally:
        for holder, name, own in reversed(undo):
            if own is None:
                delattr(holder, name)
            else:
                setattr(holder, name, own)


def _wrapped(trace: Trace, stage: str, original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **kwargs: trace.call(stage, original, *args, **kwargs)


def _places(processor: type | None) -> Iterator[tuple[Any, str, str]]:
    if processor is not None:
        for name, stage in _METHODS.items():
            yield processor, name, stage
        for base in processor.__mro__:
            module = sys.modules[base.__module__]
            if base.__module__.startswith("transformers.models"):
                for name, stage in _GLOBALS.items():
                    yield module, name, stage
                break
    seen = set()
    for module_name, class_name, name, stage in _LIBRARIES:
        try:
            module = import_module(module_name)
        except ImportError:
            continue
        holder = getattr(module, class_name) if class_name else module
        if (id(holder), name) not in seen:
            seen.add((id(holder), name))
            yield holder, name, stage


def _arrays(value: Any) -> Iterator[tuple[int, int]]:
    """Where the arrays and Pillow's images of a value are, and their bytes."""
    if isinstance(value, np.ndarray):
        yield value.__array_interface__["data"][0], value.nbytes
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _arrays(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _arrays(item)
    elif hasattr(value, "getbands") and hasattr(value, "im"):
        yield id(value), value.width * value.height * (1 if len(value.getbands()) == 1 else 4)


@contextmanager
def _counted(trace: Trace) -> Iterator[None]:
    """Counts what torch's operators read and write; views do neither."""
    try:
        from torch import Tensor
        from torch.utils._python_dispatch import TorchDispatchMode
    except ImportError:
        yield
        return

    def tensors(value: Any) -> Iterator[Tensor]:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            for item in value:
                yield from tensors(item)

    class Counting(TorchDispatchMode):  # type: ignore[misc]  # torch is untyped here
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            read = {t.data_ptr(): t.numel() * t.element_size() for t in tensors(args)}
            written = {t.data_ptr(): t.numel() * t.element_size() for t in tensors(result)}
            view = getattr(func, "is_view", False)
            in_place = func._schema.is_mutable
            if not view and (in_place or not set(written) <= set(read)):
                trace.count(sum(read.values()) + sum(written.values()))
            return result

    with Counting():
        yield
