"""Blur 3x3, unsharp mask and Harris corners, as Halide's own apps have them, on inputs that are wide enough.

Inputs are larger than outputs by what the filters reach, on all sides, in every implementation: how an edge is
continued is not what is compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from autosched.lang import Expr, Func, Input, Pipeline, f32, u16, variables

SPACES: Final = Path(__file__).parent / "spaces"

#: Weights of red, green and blue in grey.
GREY: Final = (0.299, 0.587, 0.114)
#: The unsharp mask's Gaussian, from its middle outwards.
SIGMA: Final = 1.5
GAUSS: Final = tuple(
    float(np.float32(math.exp(-(k * k) / (2 * SIGMA * SIGMA)) / (math.sqrt(2 * math.pi) * SIGMA))) for k in range(4)
)
#: The scale of Harris' derivatives, and the weight of the squared trace.
SLOPE: Final = 1 / 12
TRACE: Final = 0.04


@dataclass(frozen=True)
class App:
    """A program, and an input of a size that its users have.

    Attributes:
        name, title: as on the command line, and in tables.
        pipeline: makes the algorithm; its input is called `image`.
        image: makes the input, planes [c, y, x] or one plane [y, x].
        shape: of the output.
        exact: whether arithmetic is of integers, so that all implementations of it have one result.
    """

    name: str
    title: str
    pipeline: Callable[[], Pipeline]
    image: Callable[[], npt.NDArray[Any]]
    shape: tuple[int, ...]
    exact: bool = False

    @property
    def space(self) -> Path:
        """What the tuner may choose."""
        return SPACES / f"{self.name}.toml"


def blur() -> Pipeline:
    """The mean of 3x3 pixels in two passes, each rounded down; sums of 16 bits."""
    y, x = variables("y x")
    image = Input("image", u16, 2)
    across, blurred = Func("across"), Func("blurred")
    across[y, x] = (image[y, x] + image[y, x + 1] + image[y, x + 2]) // 3
    blurred[y, x] = (across[y, x] + across[y + 1, x] + across[y + 2, x]) // 3
    return Pipeline(blurred, "app-blur")


def _grey(image: Input, y: Expr, x: Expr) -> Expr:
    return image[0, y, x] * GREY[0] + image[1, y, x] * GREY[1] + image[2, y, x] * GREY[2]


def _gauss(at: Callable[[int], Expr]) -> Expr:
    total = at(0) * GAUSS[0]
    for k in range(1, 4):
        total = total + (at(-k) + at(k)) * GAUSS[k]
    return total


def unsharp() -> Pipeline:
    """Colours times the ratio of sharpened to plain grey."""
    c, y, x = variables("c y x")
    image = Input("image", f32, 3)
    grey, down, ratio, sharp = Func("grey"), Func("down"), Func("ratio"), Func("sharp")
    grey[y, x] = _grey(image, y, x)
    down[y, x] = _gauss(lambda k: grey[y + 3 + k, x])
    ratio[y, x] = (grey[y + 3, x + 3] * 2.0 - _gauss(lambda k: down[y, x + 3 + k])) / grey[y + 3, x + 3]
    sharp[c, y, x] = ratio[y, x] * image[c, y + 3, x + 3]
    sharp.bound(c, 3)
    return Pipeline(sharp, "app-unsharp")


def harris() -> Pipeline:
    """Corner strength of grey, from sums of products of derivatives."""
    y, x = variables("y x")
    image = Input("image", f32, 3)
    grey, dx, dy, corners = Func("grey"), Func("dx"), Func("dy"), Func("corners")
    grey[y, x] = _grey(image, y, x)

    def slope(at: Callable[[int, int], Expr]) -> Expr:
        """The derivative along the second coordinate of `at`."""
        total = at(0, 2) * SLOPE - at(0, 0) * SLOPE
        total = total + at(1, 2) * (2 * SLOPE) - at(1, 0) * (2 * SLOPE)
        return total + at(2, 2) * SLOPE - at(2, 0) * SLOPE

    dx[y, x] = slope(lambda j, i: grey[y + j, x + i])
    dy[y, x] = slope(lambda j, i: grey[y + i, x + j])

    def summed(a: Func, b: Func) -> Expr:
        total: Expr | None = None
        for j in range(3):
            for i in range(3):
                term = a[y + j, x + i] * b[y + j, x + i]
                total = term if total is None else total + term
        assert total is not None
        return total

    xx, yy, xy = summed(dx, dx), summed(dy, dy), summed(dx, dy)
    corners[y, x] = xx * yy - xy * xy - (xx + yy) * (xx + yy) * TRACE
    return Pipeline(corners, "app-harris")


def _bytes(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _planes(height: int, width: int) -> npt.NDArray[np.float32]:
    """Colours above zero, because unsharp divides by grey."""
    return (_bytes(3, height, width).astype(np.float32) + 1) / np.float32(256)


APPS: Final = {
    app.name: app
    for app in (
        App("blur", "blur 3x3, u16, 2560x1600", blur, lambda: _bytes(1602, 2562).astype(np.uint16), (1600, 2560), True),
        App("unsharp", "unsharp mask, f32, 1536x2560", unsharp, lambda: _planes(2566, 1542), (3, 2560, 1536)),
        App("harris", "Harris corners, f32, 1536x2560", harris, lambda: _planes(2564, 1540), (2560, 1536)),
    )
}

__all__ = ["APPS", "GAUSS", "GREY", "SLOPE", "SPACES", "TRACE", "App"]
