"""The antialiased separable resize, in the language.

One pass along one axis: `out[i] = clip8((sum_k source[begin[i] + k] * weight[k, i] + 2^(p-1)) >> p)`, on uint8 in and
out. Tables and their rules are in `coefficients`; a pipeline is written once for all sizes, filters and both flavours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autosched.imaging.coefficients import AxisTable, Flavour
from autosched.lang import Expr, Input, Param, RDom, cast, i16, i32, rounding_shift_right, saturating_cast, sum_over, u8

#: Reads the source at a position along the axis of a pass.
Along = Callable[[Expr], Expr]


@dataclass(frozen=True)
class AxisPass:
    """What one pass of a resize reads besides its source: Inputs `<axis>_begin` and `<axis>_weight` [taps, extent],
    Params `<axis>_taps` and `<axis>_precision`.
    """

    axis: str
    begin: Input
    weight: Input
    taps: Param
    precision: Param

    def at(self, i: Expr, along: Along) -> Expr:
        """Pixel `i` of the resized axis, uint8; `along(j)` reads pixel j of the source."""
        k = RDom(**{f"{self.axis}k": self.taps})
        tap = k.vars[0]
        total = sum_over(k, cast(i32, along(self.begin[i] + tap)) * cast(i32, self.weight[tap, i]))
        return saturating_cast(u8, rounding_shift_right(total, self.precision))

    def bind(self, table: AxisTable) -> dict[str, np.ndarray | int]:
        """The keyword arguments of a kernel that make this pass resize as `table` says."""
        return {
            f"{self.axis}_begin": table.begin,
            f"{self.axis}_weight": table.weights,
            f"{self.axis}_taps": table.taps,
            f"{self.axis}_precision": table.precision,
        }


def axis_pass(axis: str, source_extent: Expr, flavour: Flavour) -> AxisPass:
    """The pass along `axis` over a source of `source_extent` pixels; Pillow's weights are wider than ATen's."""
    taps = Param(f"{axis}_taps")
    return AxisPass(
        axis,
        Input(f"{axis}_begin", i32, 1, monotone=True, bounds=(0, source_extent - taps)),
        Input(f"{axis}_weight", i16 if flavour == "torchvision" else i32, 2),
        taps,
        Param(f"{axis}_precision", i32),
    )
