"""Outputs as transformers returns them; in bfloat16 or float16: what has no such type, and how Hugging Face's own
results get it.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final

import numpy as np

from autosched.errors import ArgumentError
from autosched.hf.images import is_tensor
from autosched.lang import Type, bf16, f32

_VALUES: Final = ("pixel_values", "pixel_values_videos")
_NAMES: Final = {"bf16": "bfloat16", "f16": "float16"}


def require_type(dtype: Type, tensors: bool) -> None:
    """Refuses bfloat16 where results are numpy's, whether or not the kernels cover the call."""
    if dtype == bf16 and not tensors:
        raise ArgumentError(
            "numpy has no bfloat16, which this processor was accelerated for; call it with return_tensors='pt', or "
            "accelerate it with dtype='float16'."
        )


def feature(data: dict[str, Any], return_tensors: Any, original: type) -> Any:
    """The BatchFeature of outputs that an original class makes; it looks at every value, unless all of them are what is
    asked for.
    """
    name = getattr(return_tensors, "value", return_tensors)
    if name == "pt" and all(map(is_tensor, data.values())):
        return feature_of_tensors(data, original)
    return _feature_class(original)(data, tensor_type=return_tensors)


def feature_of_tensors(data: dict[str, Any], original: type) -> Any:
    """`feature` of outputs that are all tensors, which are asked for."""
    made = _feature_class(original)()
    made.data = data  # what the constructor does with a check of every key
    return made


@cache
def _feature_class(original: type) -> Any:
    """transformers has two classes of that name: the one that the module knows in which outputs are made."""
    from transformers.image_processing_base import BatchFeature

    for base in original.__mro__:
        known = getattr(sys.modules.get(base.__module__), "BatchFeature", None)
        if known is not None and vars(base).keys() & {"_preprocess", "preprocess"}:
            return known
    return BatchFeature


def warn_once(function: Any, part: str) -> None:
    """Logs what a function of transformers' own warns of once in a process: the text in its code that has `part`."""
    for text in function.__code__.co_consts:
        if isinstance(text, str) and text != function.__doc__ and part in text:
            function.__globals__["logger"].warning_once(text)


def rounded(feature: Any, dtype: Type) -> Any:
    """A BatchFeature of Hugging Face's own code with its pixel values, where they are floats, as `dtype`."""
    if dtype != f32:
        for name in _VALUES:
            if name in feature:
                feature[name] = _rounded(feature[name], dtype)
    return feature


def _rounded(value: Any, dtype: Type) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_rounded(part, dtype) for part in value)
    if is_tensor(value):
        import torch

        return value.to(getattr(torch, _NAMES[dtype.name])) if value.is_floating_point() else value
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        return value
    require_type(dtype, tensors=False)
    return value.astype(np.float16)
