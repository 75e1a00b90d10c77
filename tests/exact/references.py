"""Hugging Face's own Qwen-VL processors as oracles, in whichever form the installed transformers has them."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import transformers
from transformers.utils import is_torch_available, is_torchvision_available

import autosched.hf

transformers.utils.logging.set_verbosity_error()

TRANSFORMERS_5 = int(transformers.__version__.split(".")[0]) >= 5
HAS_TORCH = is_torch_available()

CLIP = {
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
}
HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


def pixels(smallest: int, largest: int) -> dict[str, Any]:
    """Limits of the size rule, given in every way that some version of transformers listens to."""
    size = {"shortest_edge": smallest, "longest_edge": largest}
    return {"size": size, "min_pixels": smallest, "max_pixels": largest}


SETTINGS: dict[str, dict[str, Any]] = {
    "qwen2-vl": {**pixels(3136, 12845056), "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2, **CLIP},
    "qwen3-vl": {**pixels(65536, 16777216), "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, **HALF},
    "defaults": {},
    "small": {**pixels(4 * 28 * 28, 40 * 28 * 28), **CLIP},
}
"""Published settings, the classes' own, and one that shrinks images a lot."""


@dataclass(frozen=True)
class Oracle:
    """One Hugging Face processor class."""

    backend: str
    class_name: str

    @property
    def slow(self) -> bool:
        """Whether it is a slow processor of 4.57, whose steps are left to it more often."""
        return not TRANSFORMERS_5 and self.backend == "pil"

    def build(self, **settings: Any) -> Any:
        return getattr(transformers, self.class_name)(**settings)


def oracles(name: str) -> list[Any]:
    """Parameters of a test: both backends of a class, which is named as 5.x calls its torchvision form."""
    return [
        pytest.param(
            Oracle("torchvision", name if TRANSFORMERS_5 else f"{name}Fast"),
            id="torchvision",
            marks=pytest.mark.skipif(not is_torchvision_available(), reason="torchvision is not installed"),
        ),
        pytest.param(Oracle("pil", f"{name}Pil" if TRANSFORMERS_5 else name), id="pil"),
    ]


ORACLES = oracles("Qwen2VLImageProcessor")
RETURN_TENSORS = [
    None,
    "np",
    pytest.param("pt", marks=pytest.mark.skipif(not HAS_TORCH, reason="torch is not installed")),
]


@dataclass(frozen=True)
class Outcome:
    """What a call gave: its class and values, or the type and text of its error."""

    values: dict[str, Any] | None
    error: tuple[type, str] | None
    kind: type | None = None


def outcome(call: Callable[[], Any]) -> Outcome:
    try:
        made = call()
        return Outcome(dict(made), None, type(made))
    except Exception as error:
        text = re.sub(r"\b0x[0-9a-f]+", "0x...", str(error))  # addresses of objects differ
        return Outcome(None, (type(error), text))


def assert_same_values(actual: dict[str, Any], expected: dict[str, Any]) -> None:
    """Same keys in the same order, and the same types, nesting, dtypes, shapes and bits."""
    assert list(actual) == list(expected)
    for key, value in expected.items():
        assert_same(actual[key], value, key)


def assert_same(ours: Any, theirs: Any, where: str) -> None:
    """The same types all the way down, and the same bits in arrays."""
    assert type(ours) is type(theirs), where
    if isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs), where
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(one, other, f"{where}[{index}]")
    elif hasattr(theirs, "dtype"):
        assert ours.dtype == theirs.dtype, where
        one, other = np.asarray(ours), np.asarray(theirs)
        np.testing.assert_array_equal(one, other, err_msg=where)
        assert one.tobytes() == other.tobytes(), f"{where}: equal numbers, different bits"
    else:
        assert ours == theirs, where


#: Who computes the pixels of a call: the kernels, or Hugging Face's code, which then is compared with itself.
Computed = Literal["kernels", "huggingface", "either"]


def check_outcome(processor: Any, images: Callable[[], Any], *, path: Computed, **arguments: Any) -> Any:
    """Calls a processor and its drop-in and requires the same result or the same error; returns the drop-in.

    ``images`` makes the images anew for each, since decoding a file changes a PIL image. ``path`` says who must have
    computed the result; "either" is for calls that depend on the class or on the generation of transformers.
    """
    drop_in = autosched.hf.accelerate(processor)
    expected = outcome(lambda: processor(images(), **arguments))
    actual = outcome(lambda: drop_in(images(), **arguments))
    assert actual.error == expected.error
    if expected.values is not None:
        assert actual.values is not None and actual.kind is expected.kind
        assert_same_values(actual.values, expected.values)
    explanation = drop_in.autosched_explain()
    accelerated = explanation is not None and explanation.accelerated
    assert path == "either" or accelerated == (path == "kernels"), str(explanation)
    return drop_in


def check_accelerated(processor: Any, images: Any, **arguments: Any) -> Any:
    """`check_outcome` of a call that must succeed on the kernels."""
    return check_outcome(processor, lambda: images, path="kernels", **arguments)


def check_fallback(processor: Any, images: Callable[[], Any], reason: str, **arguments: Any) -> Any:
    """`check_outcome` of a call that must run Hugging Face's own code, for a reason that contains ``reason``."""
    drop_in = check_outcome(processor, images, path="huggingface", **arguments)
    explanation = drop_in.autosched_explain()
    assert explanation is not None
    assert reason in explanation.reason
    return drop_in


@contextmanager
def logged() -> Iterator[list[tuple[str, str]]]:
    """The warnings that transformers logs, as loggers and texts; what it says once in a process it says again."""
    library, levels = transformers.utils.logging.get_logger("transformers"), transformers.utils.logging
    said: list[tuple[str, str]] = []
    handler, before = logging.Handler(), levels.get_verbosity()
    handler.emit = lambda record: said.append((record.name, record.getMessage()))  # type: ignore[method-assign]
    type(library).warning_once.cache_clear()
    levels.set_verbosity_warning()
    library.addHandler(handler)
    try:
        yield said
    finally:
        library.removeHandler(handler)
        levels.set_verbosity(before)


def run_again(environment: Mapping[str, str], chosen: str, files: Sequence[str]) -> None:
    """Runs the `chosen` tests (-k) of files beside this one again, in a process with more in its environment."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", chosen]
    command += [str(Path(__file__).parent / name) for name in files]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
