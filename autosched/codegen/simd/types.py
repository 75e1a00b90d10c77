"""The type of every value in generated code: an element and a number of lanes.

Scalars have such a type too (one lane), so that Numba's own integer promotion never applies.
Vectors are LLVM vectors, scalars plain LLVM scalars.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.datamodel.registry import register_default
from numba.core.errors import NumbaTypeError


@dataclass(frozen=True)
class Element:
    """What one lane holds.

    `kind` is 'u' (unsigned), 'i' (signed), 'f' (IEEE float) or 'b' (bool, one byte in memory).
    """

    name: str
    kind: str
    bits: int

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy dtype with the same values and the same bytes in memory."""
        return np.dtype(bool) if self.kind == "b" else np.dtype(f"{self.kind}{self.bits // 8}")

    @property
    def bytes(self) -> int:
        """Bytes of one lane in memory."""
        return max(1, self.bits // 8)

    @property
    def llvm(self) -> ir.Type:
        if self.kind == "f":
            return ir.FloatType() if self.bits == 32 else ir.DoubleType()
        return ir.IntType(self.bits)

    @property
    def minimum(self) -> int:
        """Smallest value of an integer element."""
        return -(1 << (self.bits - 1)) if self.kind == "i" else 0

    @property
    def maximum(self) -> int:
        """Largest value of an integer element."""
        return (1 << (self.bits - 1)) - 1 if self.kind == "i" else (1 << self.bits) - 1


ELEMENTS = {
    element.name: element
    for element in (
        *(Element(f"{kind}{bits}", kind, bits) for kind in "ui" for bits in (8, 16, 32, 64)),
        Element("f32", "f", 32),
        Element("f64", "f", 64),
        Element("b1", "b", 1),
    )
}

_NAME = re.compile(r"(b1|[uif]\d+)(?:x([1-9]\d*))?")


class ValueType(types.Type):
    """The Numba type of a value with `lanes` lanes of `element`; equal types are one object."""

    def __init__(self, element: str, lanes: int) -> None:
        if element not in ELEMENTS:
            raise ValueError(f"no such element: {element!r}; one of {', '.join(ELEMENTS)}")
        if lanes < 1:
            raise ValueError(f"a value has at least one lane, not {lanes}")
        self.element = ELEMENTS[element]
        self.lanes = lanes
        super().__init__(name=element if lanes == 1 else f"{element}x{lanes}")

    @property
    def key(self) -> tuple[str, int]:
        return (self.element.name, self.lanes)

    @property
    def llvm(self) -> ir.Type:
        """The LLVM type of the value in registers."""
        scalar = self.element.llvm
        return scalar if self.lanes == 1 else ir.VectorType(scalar, self.lanes)

    @property
    def suffix(self) -> str:
        """How LLVM intrinsics spell the type, as in `v16i32`."""
        scalar = f"{'f' if self.element.kind == 'f' else 'i'}{self.element.bits}"
        return scalar if self.lanes == 1 else f"v{self.lanes}{scalar}"

    @property
    def bytes(self) -> int:
        """Bytes of the value in memory (a b1 lane takes one)."""
        return self.element.bytes * self.lanes

    @property
    def is_float(self) -> bool:
        return self.element.kind == "f"

    @property
    def is_bool(self) -> bool:
        return self.element.kind == "b"

    @property
    def is_integer(self) -> bool:
        return self.element.kind in "ui"

    @property
    def is_signed(self) -> bool:
        return self.element.kind == "i"

    @property
    def scalar(self) -> ValueType:
        """The same element, one lane."""
        return ValueType(self.element.name, 1)

    def of(self, element: str) -> ValueType:
        """Another element, the same lanes."""
        return ValueType(element, self.lanes)


@register_default(ValueType)
class ValueModel(PrimitiveModel):
    """Values are held as they are, in registers and in stack slots."""

    def __init__(self, dmm: Any, fe_type: ValueType) -> None:
        super().__init__(dmm, fe_type, fe_type.llvm)


@lru_cache(maxsize=None)
def parse(name: str) -> ValueType | None:
    """The value type called `name` (`u8`, `f32x16`), or None if there is none."""
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in ELEMENTS or match[2] == "1":
        return None
    return ValueType(match[1], int(match[2] or 1))


def value_type(name: str) -> ValueType:
    """The value type called `name`.

    Raises NumbaTypeError for a name that is not `<element>` or `<element>x<lanes>`.
    """
    found = parse(name)
    if found is None:
        raise NumbaTypeError(f"no value type {name!r}; expected e.g. u8, i32x16, f32x8, b1x16")
    return found
