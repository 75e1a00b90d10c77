"""The antialiased separable resize, in the language.

One pass along one axis: `out[i] = clip8((sum_k source[begin[i] + k] * weight[k, i] + 2^(p-1)) >> p)`, on uint8 in and
out; in float arithmetic `out[i] = sum_k source[begin[i] + k] * weight[k, i]`, float32, which `as_byte` rounds after the
last pass. Tables and their rules are in `coefficients`; a pipeline is written once for all sizes, filters and flavours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autosched.imaging.coefficients import Arithmetic, AxisTable, Flavour
from autosched.lang import (
    Expr,
    Input,
    Param,
    RDom,
    cast,
    f32,
    fma,
    fold_over,
    i16,
    i32,
    round_half_even,
    rounding_shift_right,
    saturating_cast,
    select,
    sum_over,
    u8,
)

#: Reads the source at a position along the axis of a pass.
Along = Callable[[Expr], Expr]


@dataclass(frozen=True)
class AxisPass:
    """What one pass of a resize reads besides its source: Inputs `<axis>_begin` and `<axis>_weight` [taps, extent],
    Params `<axis>_taps` and, of whole numbers, `<axis>_precision`; Input `<axis>_plain` where taps are fused.
    """

    axis: str
    begin: Input
    weight: Input
    taps: Param
    precision: Param | None = None
    plain: Input | None = None

    def at(self, i: Expr, along: Along) -> Expr:
        """Pixel `i` of the resized axis, uint8, or f32 in float arithmetic; `along(j)` reads pixel j of the source."""
        k = RDom(**{f"{self.axis}k": self.taps})
        tap = k.vars[0]
        pixel, weight = along(self.begin[i] + tap), self.weight[tap, i]
        if self.precision is not None:
            total = sum_over(k, cast(i32, pixel) * cast(i32, weight))
            return saturating_cast(u8, rounding_shift_right(total, self.precision))
        value = cast(f32, pixel)
        if self.plain is None:
            return sum_over(k, value * weight)
        separate = cast(i32, tap) < self.plain[i]
        return fold_over(k, 0.0, lambda total: select(separate, total + value * weight, fma(value, weight, total)))

    def bind(self, table: AxisTable) -> dict[str, np.ndarray | int]:
        """The keyword arguments of a kernel that make this pass resize as `table` says."""
        given = {
            f"{self.axis}_begin": table.begin,
            f"{self.axis}_weight": table.weights,
            f"{self.axis}_taps": table.taps,
        }
        if self.precision is not None:
            given[f"{self.axis}_precision"] = table.precision
        if self.plain is not None and table.plain is not None:
            given[f"{self.axis}_plain"] = table.plain
        return given


def axis_pass(axis: str, source_extent: Expr, flavour: Flavour, arithmetic: Arithmetic = "integer") -> AxisPass:
    """The pass along `axis` over a source of `source_extent` pixels; Pillow's weights are wider than ATen's."""
    taps = Param(f"{axis}_taps")
    begin = Input(f"{axis}_begin", i32, 1, monotone=True, bounds=(0, source_extent - taps))
    if arithmetic != "integer":
        plain = Input(f"{axis}_plain", i32, 1) if arithmetic == "fused" else None
        return AxisPass(axis, begin, Input(f"{axis}_weight", f32, 2), taps, plain=plain)
    weight = Input(f"{axis}_weight", i16 if flavour == "torchvision" else i32, 2)
    return AxisPass(axis, begin, weight, taps, Param(f"{axis}_precision", i32))


def as_byte(value: Expr) -> Expr:
    """The byte that a resized float is nearest to, ties to even; the value itself where it is one."""
    return value if value.type == u8 else saturating_cast(u8, round_half_even(value))
