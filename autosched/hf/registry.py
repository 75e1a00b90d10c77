"""Which Hugging Face classes have a drop-in."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from autosched.errors import UnsupportedProcessorError
from autosched.hf.drop_in import DropIn


@dataclass(frozen=True)
class Support:
    """One kind of Hugging Face class and what replaces it.

    Attributes:
        name: class name in transformers.
        module: the module that defines the class.
        base: name of a base class that tells apart generations of transformers that share name and module.
        mixin: what is placed before the class.
        replaced: methods whose work the kernels do, the one that calls the others first; a subclass that overrides
            one has no drop-in.
        optional: the same, but not every version of the class has them.
    """

    name: str
    module: str
    base: str
    mixin: type[DropIn]
    replaced: tuple[str, ...]
    optional: tuple[str, ...] = ()


#: The modules that list what they support as SUPPORT, in the order that classes are looked for in.
_HOMES: Final = (
    "autosched.hf.families.qwen_vl",
    "autosched.hf.families.fixed",
    "autosched.hf.families.got_ocr2",
    "autosched.hf.families.anyres",
    "autosched.hf.families.pixtral",
    "autosched.hf.families.gemma3",
    "autosched.hf.families.idefics3",
    "autosched.hf.families.siglip2",
    "autosched.hf.families.video",
)


@cache
def supported() -> tuple[Support, ...]:
    """Every class that has a drop-in."""
    return tuple(entry for home in _HOMES for entry in import_module(home).SUPPORT)


def find_support(cls: type, attributes: Mapping[str, Any]) -> Support:
    """Returns the entry of a class (or of the base class that it extends).

    Args:
        cls: class of an image processor.
        attributes: the instance's own attributes, which may hide methods.

    Raises:
        UnsupportedProcessorError: no entry, or a replaced method was overridden.
    """
    names = [base.__name__ for base in cls.__mro__]
    for support in supported():
        for base in cls.__mro__:
            if (base.__module__, base.__name__) == (support.module, support.name) and support.base in names:
                _require_unchanged(cls, base, support, attributes)
                return support
    # The forms of a class differ by suffixes.
    bare = {support.name.removesuffix("Fast").removesuffix("Pil") for support in supported()}
    raise UnsupportedProcessorError(
        f"There is no drop-in for {cls.__module__}.{cls.__qualname__}; autosched accelerates these of transformers "
        f"4.57 and 5.x, in all their forms: {', '.join(sorted(bare))}. Use the processor as it is."
    )


def _require_unchanged(cls: type, base: type, support: Support, attributes: Mapping[str, Any]) -> None:
    for name in (*support.replaced, *support.optional):
        ours = inspect.getattr_static(base, name, None)
        if ours is None and name in support.optional:
            continue
        if ours is None:
            raise UnsupportedProcessorError(
                f"{base.__module__}.{base.__qualname__} has no method {name}, so this version of transformers is not "
                "supported; install 4.57.6 or a 5.x release."
            )
        if name in attributes or inspect.getattr_static(cls, name) is not ours:
            raise UnsupportedProcessorError(
                f"{cls.__qualname__} overrides {name}, which autosched's kernels would replace. Use the processor as "
                "it is."
            )
