"""Element types of the language."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from autosched.errors import ArgumentError


@dataclass(frozen=True)
class Type:
    """An element type: `kind` is "u", "i", "f", "bf" or "b"; `bits` its width."""

    kind: str
    bits: int

    @property
    def name(self) -> str:
        return f"{self.kind}{self.bits}"

    @cached_property
    def dtype(self) -> np.dtype:
        """The numpy dtype of the same values; of the same bits for bf16, which numpy does not have."""
        if self.kind == "b":
            return np.dtype(np.bool_)
        if self.kind == "bf":
            return np.dtype(np.uint16)
        return np.dtype(f"{self.kind}{self.bits // 8}")

    @property
    def bytes(self) -> int:
        return max(self.bits // 8, 1)

    @property
    def is_int(self) -> bool:
        return self.kind in "ui"

    @property
    def is_float(self) -> bool:
        return self.kind == "f" and not self.is_half

    @property
    def is_half(self) -> bool:
        """Whether values are only rounded to it, last of all: nothing is computed from them."""
        return self.kind in ("f", "bf") and self.bits == 16

    @property
    def is_bool(self) -> bool:
        return self.kind == "b"

    @property
    def min(self) -> int | float:
        """The least value (minus infinity for floats)."""
        if self.is_float:
            return -float("inf")
        return -(1 << (self.bits - 1)) if self.kind == "i" else 0

    @property
    def max(self) -> int | float:
        """The greatest value (infinity for floats)."""
        if self.is_float:
            return float("inf")
        if self.is_bool:
            return 1
        return (1 << (self.bits - 1)) - 1 if self.kind == "i" else (1 << self.bits) - 1

    def __repr__(self) -> str:
        return self.name


u8, u16, u32, u64 = (Type("u", bits) for bits in (8, 16, 32, 64))
i8, i16, i32, i64 = (Type("i", bits) for bits in (8, 16, 32, 64))
f32, f64 = Type("f", 32), Type("f", 64)
b1 = Type("b", 1)
bf16, f16 = Type("bf", 16), Type("f", 16)

#: Every type that is computed with, by name: what a Func, Input or Param can have.
TYPES: dict[str, Type] = {t.name: t for t in (u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, b1)}

#: Types of results, by name: what a Func can have besides.
HALVES: dict[str, Type] = {t.name: t for t in (bf16, f16)}

_RESULTS = {"float32": f32, "bfloat16": bf16, "float16": f16}


def result_type(dtype: object) -> Type:
    """The type that numpy and torch call `dtype`: float32 (None is that too), bfloat16 or float16, or its name.

    Raises ArgumentError for any other.
    """
    if isinstance(dtype, Type):
        return dtype
    name = getattr(dtype, "__name__", None) or str(dtype).removeprefix("torch.")
    if dtype is not None and name not in _RESULTS:
        raise ArgumentError(f"dtype is {dtype!r}; values can be {', '.join(_RESULTS)}.")
    return f32 if dtype is None else _RESULTS[name]
