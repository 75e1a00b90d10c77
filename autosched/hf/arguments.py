"""Reads the arguments of a Hugging Face preprocess call, and says which of them the kernels do not cover.

Arguments arrive resolved and validated by transformers. A value that is fine for transformers but that no kernel
reproduces raises `NotCoveredError`; the caller then runs Hugging Face's own code.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from types import NoneType
from typing import Any, Final

import numpy as np

from autosched.hf.float_resize import float_arithmetic
from autosched.imaging.byte_table import CHANNELS
from autosched.imaging.coefficients import Filter
from autosched.vlm.preparation import Reference

_FILTERS_BY_PIL_NUMBER: Final[dict[int, Filter]] = {1: "lanczos", 2: "bilinear", 3: "bicubic"}
_FILTERS_BY_NAME: Final[dict[str, Filter]] = {name: name for name in _FILTERS_BY_PIL_NUMBER.values()}
_FIRST_TORCHVISION_WITH_LANCZOS: Final = (0, 27)
#: A little less than the largest float32.
_LARGEST: Final = 3.4e38


class NotCoveredError(Exception):
    """The kernels do not cover a call; the message says why. Never leaves the package."""


def positive_int(arguments: Mapping[str, Any], name: str) -> int:
    """An argument that must be a positive int (not a bool) for the kernels."""
    value = arguments.get(name)
    if type(value) is not int or value < 1:
        raise NotCoveredError(f"{name} is {value!r}")
    return value


def channel_values(arguments: Mapping[str, Any], name: str) -> tuple[float, ...]:
    """A mean or standard deviation with one finite number per channel."""
    value = arguments.get(name)
    if not isinstance(value, (tuple, list)) or len(value) != CHANNELS:
        raise NotCoveredError(f"{name} is {value!r}")
    # torch computes in float64 what it is given as numpy's, which also are floats
    if not all(type(item) in (int, float) and math.isfinite(item) for item in value):
        raise NotCoveredError(f"{name} is {value!r}")
    return tuple(float(item) for item in value)


def byte_steps(arguments: Mapping[str, Any], stay: bool) -> dict[str, Any]:
    """What happens to a byte after the resize: the fields of that name of `Preparation`.

    `stay`: bytes that are neither rescaled nor normalized stay bytes.
    """
    for name in ("do_rescale", "do_normalize"):
        if not isinstance(arguments.get(name), (int, NoneType)):
            raise NotCoveredError(f"{name} is {arguments[name]!r}")  # torchvision's processors look it up in a cache
    do_rescale, do_normalize = bool(arguments.get("do_rescale")), bool(arguments.get("do_normalize"))
    if stay and not (do_rescale or do_normalize):
        raise NotCoveredError("neither do_rescale nor do_normalize is set, so the result is uint8")
    for name in ("image_mean", "image_std"):
        if isinstance(arguments.get(name), np.ndarray):
            raise NotCoveredError(f"{name} is an array")  # some processors refuse those, also where they are not used
    steps: dict[str, Any] = {"do_rescale": do_rescale, "do_normalize": do_normalize}
    if do_rescale:
        factor = arguments.get("rescale_factor")
        # torch keeps bytes when they are multiplied by an int, and fused normalisation divides by the factor.
        if not isinstance(factor, float) or not math.isfinite(factor) or factor == 0.0:
            raise NotCoveredError(f"rescale_factor is {factor!r}")
        steps["rescale_factor"] = float(factor)
    if do_normalize:
        steps["mean"] = channel_values(arguments, "image_mean")
        steps["std"] = channel_values(arguments, "image_std")
        if 0.0 in steps["std"]:
            raise NotCoveredError("image_std has a zero")
    return steps


def require_no_overflow(steps: Mapping[str, Any]) -> None:
    """Refuses `byte_steps` whose numbers or results are too large for float32, which numpy warns of."""
    largest = 255.0 * abs(steps.get("rescale_factor", 1.0))
    means, stds = ([abs(number) for number in steps.get(name, ())] for name in ("mean", "std"))
    quotients = [(largest + mean) / std for mean, std in zip(means, stds, strict=True)]
    if not max([largest, *means, *stds, *quotients]) < _LARGEST:
        raise NotCoveredError("rescale_factor, image_mean or image_std has results that are too large for float32")


def resampling(resample: Any, reference: Reference, floats: bool) -> dict[str, Any]:
    """How images are resized: the fields `filter` and `arithmetic` of a `Preparation`.

    `resample` is a PIL resampling (enum or number) or torchvision's interpolation mode; `floats`: the processor makes
    floats of bytes before they are resized, which torchvision does by itself where ATen resizes no bytes.
    """
    found = _filter(resample, reference)
    if reference == "pil":
        return {"filter": found}
    if floats and found == "lanczos":
        found = "bicubic"  # as the processors do
    if not floats and _resizes_bytes(found):
        return {"filter": found}
    if (arithmetic := float_arithmetic()) is None:
        raise NotCoveredError("this torch resizes floats in an order of operations that no kernel has")
    return {"filter": found, "arithmetic": arithmetic}


def _filter(resample: Any, reference: Reference) -> Filter:
    known: Filter | None = None
    if isinstance(resample, int):
        known = _FILTERS_BY_PIL_NUMBER.get(int(resample))
    elif reference == "torchvision":
        known = _FILTERS_BY_NAME.get(getattr(resample, "value", ""))
    if known is None:
        raise NotCoveredError(f"resample is {resample!r}")
    return known


def _resizes_bytes(filter: Filter) -> bool:
    """Whether torchvision resizes bytes as they are here; NotCoveredError where it does not resize with the filter."""
    import torch
    import torchvision

    if filter == "bilinear":
        native = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
        return native or platform.machine() in ("aarch64", "arm64")
    if filter == "lanczos":
        version = tuple(int(part) for part in torchvision.__version__.split(".")[:2])
        if version < _FIRST_TORCHVISION_WITH_LANCZOS:
            raise NotCoveredError(f"torchvision {torchvision.__version__} has no lanczos for tensors")
    return True


def require_cpu(device: Any) -> None:
    """Refuses an explicit device other than the CPU."""
    if device is not None and str(device) != "cpu":
        raise NotCoveredError(f"device is {device}")


def require_known_tensors(return_tensors: Any) -> None:
    """Refuses return types other than None, numpy and torch."""
    name = getattr(return_tensors, "value", return_tensors)
    if name not in (None, "np", "pt"):
        raise NotCoveredError(f"return_tensors is {return_tensors!r}")


def require_torch_defaults() -> None:
    """Refuses a changed default dtype, which changes the dtype of Hugging Face's mean and std, and another device."""
    import torch

    if torch.get_default_dtype() != torch.float32:
        raise NotCoveredError(f"torch's default dtype is {torch.get_default_dtype()}")
    # A default device is a mode for torch's functions; to ask for it takes microseconds.
    if torch._C._len_torch_function_stack() and torch.get_default_device().type != "cpu":
        raise NotCoveredError(f"torch's default device is {torch.get_default_device()}")
