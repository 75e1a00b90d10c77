"""`accelerate`: a drop-in for a Hugging Face image processor."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FunctionType
from typing import Any, TypeVar

from autosched.errors import UnsupportedProcessorError
from autosched.hf.drop_in import DropIn, DropInState
from autosched.hf.registry import find_support
from autosched.hf.separate import separate
from autosched.hf.unchanged import Unchanged
from autosched.lang.types import Type, result_type
from autosched.threads import checked

Processor = TypeVar("Processor")

_classes: dict[type, type[DropIn]] = {}
_classes_lock = threading.Lock()


def _renew_lock() -> None:
    """A thread that held it is not in a forked child."""
    global _classes_lock
    _classes_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def accelerate(processor: Processor, *, threads: int | None = None, dtype: object = None) -> Processor:
    """Returns a processor that gives the same results, computed by autosched's kernels.

    Takes an image or video processor of transformers 4.57 or 5.x, or a processor that holds them (it is copied
    shallowly, its ``image_processor`` replaced, and its ``video_processor`` where there is a drop-in for it). The
    result is an instance of a subclass of the original's class with the same name and the same attributes, so that
    isinstance, saving, pickling and everything else work as before. The original stays as it is, also where sizes and
    lists of the result are changed. Calls that the kernels do not cover run Hugging Face's own code:
    ``autosched_explain()`` of the image (or video) processor tells what the latest call did.
    Accelerating twice changes nothing.

    Args:
        processor: the processor to accelerate.
        threads: upper bound of the threads that one call uses; None leaves it to autosched.
        dtype: type of the pixel values: float32, float16 or bfloat16 of torch or numpy, or its name. With a 16-bit type
            the result is what ``.to(dtype)`` makes of the original's, and half as many bytes are written.
            bfloat16 needs ``return_tensors="pt"``, since numpy does not have it: other calls raise ArgumentError.

    Raises:
        UnsupportedProcessorError: there is no drop-in for this class, it overrides a method that the kernels replace,
            or it cannot have a subclass.
        ArgumentError: ``threads`` is no int of at least 1, or ``dtype`` none of these.
    """
    if threads is not None:
        checked(threads)
    kind = result_type(dtype)
    inner = getattr(processor, "image_processor", None)
    if inner is not None:
        outer = copy.copy(processor)
        outer.image_processor = accelerate(inner, threads=threads, dtype=dtype)  # type: ignore[attr-defined]
        video = getattr(processor, "video_processor", None)
        if video is not None:
            with suppress(UnsupportedProcessorError):
                outer.video_processor = accelerate(video, threads=threads, dtype=dtype)  # type: ignore[attr-defined]
        return outer
    if isinstance(processor, DropIn):
        known = processor._autosched_state
        threads = known.threads if threads is None else threads
        kind = known.dtype if dtype is None else kind
        if (threads, kind) == (known.threads, known.dtype):
            return processor
        original = processor.autosched_original_class
    else:
        _require_instance(processor)
        original = type(processor)
        find_support(original, getattr(processor, "__dict__", {}))
    return rebuild(original, separate(vars(processor)), threads, kind)  # type: ignore[return-value]


def _require_instance(processor: object) -> None:
    """Raises UnsupportedProcessorError, with what to give, where it can be no processor whatever its class."""
    if isinstance(processor, type):
        raise UnsupportedProcessorError(
            f"{processor.__name__} is a class; give an instance: accelerate({processor.__name__}(...))"
        )
    if isinstance(processor, str):
        raise UnsupportedProcessorError(
            f"give a processor, not a str; AutoImageProcessor.from_pretrained({processor!r}) makes one"
        )
    if processor is None or isinstance(processor, (list, tuple, dict, FunctionType)):
        hint = "; accelerate each for itself" if isinstance(processor, (list, tuple, dict)) else ""
        raise UnsupportedProcessorError(f"give a processor, not {_article(processor)}{hint}")


def _article(value: object) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def restored(threads: int | None, dtype: Type, made: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """The drop-in of what ``made(*arguments)`` is, for pickles and copies, which give it its state afterwards."""
    processor = made(*arguments)
    if isinstance(processor, DropIn):
        return processor
    try:
        return rebuild(type(processor), getattr(processor, "__dict__", {}), threads, dtype)
    except UnsupportedProcessorError:
        return processor


def rebuild(original: type, attributes: dict[str, Any], threads: int | None, dtype: Type) -> DropIn:
    """Makes a drop-in of a class from its attributes."""
    drop_in = object.__new__(drop_in_class(original))
    vars(drop_in).update(attributes)
    object.__setattr__(drop_in, "_autosched_slot", DropInState(threads, dtype))  # as the property does
    return drop_in


def drop_in_class(original: type) -> type[DropIn]:
    """The drop-in's class: a subclass of the original, with its name, made once."""
    with _classes_lock:
        made = _classes.get(original)
        if made is None:
            made = _classes[original] = _make_class(original)
        return made


def _make_class(original: type) -> type[DropIn]:
    support = find_support(original, {})
    mixin = support.mixin
    replaced = [name for name in ("preprocess", "_preprocess_image_like_inputs", "_preprocess") if hasattr(mixin, name)]
    namespace: dict[str, Any] = {
        "__module__": original.__module__,
        "__qualname__": original.__qualname__,
        "__doc__": original.__doc__,
        "autosched_original_class": original,
        "_autosched_published": original.__module__.startswith("transformers."),
        "_autosched_replaced": frozenset((*support.replaced, *support.optional)),
        "_autosched_computing": Unchanged(original, support.replaced[0], replaced, without=("fetch_images",)),
        "_autosched_resolving": Unchanged(original, "preprocess", replaced),
    }
    for name in replaced:
        namespace[name] = _with_signature_of(getattr(original, name), getattr(mixin, name))
    try:
        return type(original)(original.__name__, (mixin, original), namespace)
    except Exception as error:  # such as of __slots__, or of its __init_subclass__
        raise UnsupportedProcessorError(
            f"{original.__qualname__} cannot have the subclass that a drop-in is ({error}). Use the processor as it is."
        ) from error


def _with_signature_of(original: Callable[..., Any], override: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of the override that looks like the original to `inspect.signature` (serving engines read it)."""
    o: Any = override
    copied = FunctionType(o.__code__, o.__globals__, o.__name__, o.__defaults__, o.__closure__)
    copied.__kwdefaults__ = o.__kwdefaults__
    functools.update_wrapper(copied, original)
    copied.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]  # for getfullargspec too
    return copied
