"""The arguments of calls as transformers resolves and validates them, remembered, and what a family reads from them.

Resolving takes transformers longer than a kernel takes a small image, and its result depends on nothing but the
arguments and the attributes of the processor. Calls that give nothing but the type of their result come again and
again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autosched.hf.family import Family


@dataclass(slots=True)
class Resolved:
    """The resolved arguments of a call, and the attributes of the processor that they came from.

    Attributes:
        values: the arguments.
        attributes: the processor's, and their `types` in the same order.
        records: the names of those that are dataclasses, such as sizes; here they are dicts, which are compared faster.
        family: the settings that were read from the arguments; None before the first call that has read them.
    """

    values: dict[str, Any]
    attributes: dict[str, Any]
    types: list[type]
    records: tuple[str, ...]
    family: Family | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> Resolved:
        """Copies, so that what changes later is seen."""
        kept = copy.deepcopy(dict(attributes))
        records = tuple(name for name, value in kept.items() if is_dataclass(value) and hasattr(value, "__dict__"))
        for name in records:
            kept[name] = vars(kept[name])
        return cls(copy.deepcopy(dict(values)), kept, list(map(type, attributes.values())), records)

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the processor still has these attributes, in the same order and of the same types."""
        try:
            # True equals 1, which some attributes may not be. This runs in every call: few steps of Python.
            if self.types != list(map(type, attributes.values())):
                return False
            current = dict(attributes)
            for name in self.records:
                current[name] = vars(current[name])
            return self.attributes == current
        except (KeyError, TypeError, ValueError):  # another attribute; arrays have no truth
            return False


def is_common(kwargs: Mapping[str, Any]) -> bool:
    """Whether a call gives nothing, or nothing but the type of its result as a string."""
    return not kwargs or (len(kwargs) == 1 and type(kwargs.get("return_tensors")) is str)
