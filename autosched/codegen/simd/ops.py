"""Named operations, made when first asked for: `from autosched.codegen.simd.ops import load_u8x16`.

A name is that of a family (`vmin`) or of a typed family and a value type (`cast_i32x16`). `names()` lists the families;
their definitions are in the modules that are imported here.
"""

from __future__ import annotations

from typing import Any

from autosched.codegen.simd import arithmetic, convert, grouped, halves, memory, permute, staggered, threads, types
from autosched.codegen.simd.definition import FAMILIES, build

# Importing these modules defines their families and the operators.
_DEFINED_IN = (arithmetic, convert, grouped, halves, memory, permute, staggered, threads)


def names() -> list[str]:
    """The families' names; `_T` stands for a value type."""
    return sorted(f"{f.name}_T" if f.typed else f.name for f in FAMILIES.values())


def __getattr__(name: str) -> Any:
    made = _make(name)
    if made is None:
        raise AttributeError(f"no operation {name!r} in {__name__}; the families are {', '.join(names())}")
    globals()[name] = made
    return made


def _make(name: str) -> Any:
    plain = FAMILIES.get(name)
    if plain is not None and not plain.typed:
        return build(plain, None)
    prefix, _, suffix = name.rpartition("_")
    chosen, value = FAMILIES.get(prefix), types.parse(suffix)
    if chosen is None or not chosen.typed or value is None:
        return None
    return build(chosen, value)
