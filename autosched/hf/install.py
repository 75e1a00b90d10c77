"""`install`: processors that transformers loads are drop-ins, in this process, until `uninstall`.

Every processor that is loaded (by its class, AutoImageProcessor, AutoProcessor, and by what is built on those:
pipelines, vLLM, SGLang) is made by the `from_dict` of its base class, in 4.57 and in 5.x. That is what is wrapped, for
images and for videos.
Processors that are built by their constructors stay as they are; `autosched.accelerate` takes those.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import Any

from autosched.errors import UnsupportedProcessorError
from autosched.hf.accelerate import accelerate
from autosched.hf.drop_in import DropIn
from autosched.lang.types import result_type
from autosched.threads import checked


@dataclass
class _Installed:
    """What stands in place of transformers' own methods: class, original and wrapper of each."""

    methods: list[tuple[type, Any, Any]]
    threads: int | None
    dtype: object


_lock = threading.Lock()
_installed: _Installed | None = None


def install(threads: int | None = None, dtype: object = None) -> None:
    """Makes transformers load accelerated image and video processors.

    Classes without a drop-in load as before. Calling it again only changes `threads` and `dtype`, which processors
    loaded from now on have: see `accelerate`. It holds for this process; serving
    engines call it in each of theirs through the entry points ``vllm.general_plugins`` and ``sglang.srt.plugins``.

    Raises:
        ArgumentError: ``threads`` is no int of at least 1, or ``dtype`` is no type of pixel values.
        ImportError: transformers is not installed.
    """
    if threads is not None:
        checked(threads)
    result_type(dtype)  # checks it
    global _installed
    with _lock:
        if _installed is not None:
            _installed.threads, _installed.dtype = threads, dtype
            return
        methods = [(base, vars(base)["from_dict"]) for base in _bases()]
        made = [(base, original, _wrapped(original.__func__)) for base, original in methods]
        _installed = _Installed(made, threads, dtype)
        for base, _, wrapper in made:
            base.from_dict = wrapper  # type: ignore[attr-defined]


def uninstall() -> None:
    """Undoes `install`: transformers loads its own processors again. Those that are loaded stay accelerated."""
    global _installed
    with _lock:
        if _installed is None:
            return
        for base, original, wrapper in _installed.methods:
            if vars(base)["from_dict"] is wrapper:
                base.from_dict = original  # type: ignore[attr-defined]
        _installed = None


def _bases() -> list[type]:
    """The classes whose `from_dict` makes every processor that is loaded."""
    from transformers.image_processing_base import ImageProcessingMixin

    found = [ImageProcessingMixin]
    try:
        from transformers.video_processing_utils import BaseVideoProcessor
    except ImportError:  # no torch, so no videos
        return found
    found += [base for base in BaseVideoProcessor.__mro__ if "from_dict" in vars(base) and base not in found]
    return found


def _wrapped(original: Any) -> Any:
    """The class method that accelerates what `original` makes, as long as `install` is in effect."""

    @classmethod  # type: ignore[misc]
    @functools.wraps(original)
    def from_dict(cls: type, *args: Any, **kwargs: Any) -> Any:
        made = original(cls, *args, **kwargs)
        installed = _installed  # which another thread may change
        if installed is None:  # another library wrapped this method, and it could not be put back
            return made
        if isinstance(made, tuple):  # return_unused_kwargs
            return _accelerated(made[0], installed), *made[1:]
        return _accelerated(made, installed)

    return from_dict


def _accelerated(processor: Any, installed: _Installed) -> Any:
    if isinstance(processor, DropIn):
        return processor
    try:
        return accelerate(processor, threads=installed.threads, dtype=installed.dtype)
    except UnsupportedProcessorError:
        return processor
