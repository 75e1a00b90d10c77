"""The arguments of calls as transformers resolves and validates them, remembered.

Resolving takes transformers longer than a kernel takes a small image, and its result depends on nothing but the
arguments and the attributes of the processor. Calls that give nothing but the type of their result come again and
again.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NONE = object()


@dataclass(frozen=True)
class Resolved:
    """The resolved arguments of a call, and the attributes of the processor that they came from."""

    values: Mapping[str, Any]
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, values: Mapping[str, Any], attributes: Mapping[str, Any]) -> Resolved:
        """Copies, so that what changes later is seen."""
        return cls(copy.deepcopy(dict(values)), copy.deepcopy(dict(attributes)))

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Whether the processor still has these attributes."""
        kept = self.attributes
        return len(kept) == len(attributes) and all(
            _same(kept.get(name, _NONE), value) for name, value in attributes.items()
        )


def is_common(kwargs: Mapping[str, Any]) -> bool:
    """Whether a call gives nothing, or nothing but the type of its result as a string."""
    return not kwargs or (len(kwargs) == 1 and type(kwargs.get("return_tensors")) is str)


def _same(kept: Any, value: Any) -> bool:
    return kept is value or (type(kept) is type(value) and bool(kept == value))
