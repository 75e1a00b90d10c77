"""What users give things of the language: names and types, and where in their code they did."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from autosched.errors import LanguageError
from autosched.lang.types import TYPES, Type

_PACKAGE = str(Path(__file__).parent)


def caller() -> str:
    """`file:line` of the nearest frame outside the language: where the user wrote it."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith((_PACKAGE, "<string>")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def check_name(name: str, what: str) -> None:
    """Names end up in generated source, where leading, trailing and double underscores belong to the compiler."""
    if not is_name(name):
        raise LanguageError(
            f"{what} name {name!r} is not allowed ({caller()}): use letters, digits and single underscores between "
            "them, beginning with a letter"
        )


#: What calls of a kernel have arguments for besides its Inputs and Params.
_CALLS = ("out", "shape", "threads")


def check_argument(name: str, what: str) -> None:
    """`check_name` of what a kernel is given by name."""
    check_name(name, what)
    if name in _CALLS:
        raise LanguageError(
            f"{what} {name}: calls of a kernel have {', '.join(_CALLS)} of their own; choose another name ({caller()})"
        )


def check_type(of: object, what: str) -> None:
    """LanguageError for what is no type of the language, with the type that it may be meant for."""
    if isinstance(of, Type):
        return
    try:
        near = next((t for t in TYPES.values() if t.dtype == np.dtype(of)), None)  # type: ignore[call-overload]
    except TypeError:
        near = TYPES.get(str(of))
    hint = f"{near} of autosched.lang" if near else f"one of autosched.lang: {', '.join(TYPES)}"
    raise LanguageError(f"{what}: the type is {of!r}; give {hint} ({caller()})")


def is_name(name: object) -> bool:
    """Whether `name` can be that of a Func, a Var, a loop and so on."""
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        return False
    return not (name.startswith("_") or name.endswith("_") or "__" in name)
