"""A processor's attributes for another processor, which may change its own."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any


def separate(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with copies of lists, dicts and transformers' sizes, and of those in them; all else is shared."""
    made: dict[int, Any] = {}
    return {name: _separate(value, made) for name, value in attributes.items()}


def _separate(value: Any, made: dict[int, Any]) -> Any:
    """`made` are the copies so far by what they are of, which stays one thing where it is in several places."""
    kind = type(value)
    if id(value) in made:
        return made[id(value)]
    if kind is list:
        copied: Any = []
        made[id(value)] = copied
        copied.extend(_separate(part, made) for part in value)
    elif kind is dict:
        copied = {}
        made[id(value)] = copied
        copied.update((key, _separate(part, made)) for key, part in value.items())
    elif is_dataclass(kind) and kind.__module__.startswith("transformers."):
        copied = made[id(value)] = copy.copy(value)
    else:
        return value
    return copied
