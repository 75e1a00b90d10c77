"""Blur 3x3, unsharp mask, Harris corners, a matrix product and a layer of convolutions, as Halide's own apps have them.

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

from autosched.lang import Expr, Func, Input, Pipeline, RDom, f32, maximum, sum_over, u16, variables
from autosched.tune import Space, derive, load_space

Array = npt.NDArray[Any]

SPACES: Final = Path(__file__).parent / "spaces"

#: Weights of red, green and blue in grey.
GREY: Final = (0.299, 0.587, 0.114)
#: The unsharp mask's Gaussian, from its middle outwards.
SIGMA: Final = 1.5
GAUSS: Final = tuple(
    float(np.float32(math.exp(-(k * k) / (2 * SIGMA * SIGMA)) / (math.sqrt(2 * math.pi) * SIGMA))) for k in range(4)
)
#: Terms of an element of the matrix product; channels that the convolutions read.
TERMS: Final = 1024
CHANNELS: Final = 64
#: The scale of Harris' derivatives, and the weight of the squared trace.
SLOPE: Final = 1 / 12
TRACE: Final = 0.04


@dataclass(frozen=True)
class App:
    """A program, and inputs of a size that its users have.

    Attributes:
        name, title: as on the command line, and in tables.
        pipeline: makes the algorithm.
        inputs: makes its inputs, by name, for an output of a shape.
        shape: of the output.
        small: the shape of an output that the interpreter can compute.
    """

    name: str
    title: str
    pipeline: Callable[[], Pipeline]
    inputs: Callable[[tuple[int, ...]], dict[str, Array]]
    shape: tuple[int, ...]
    small: tuple[int, ...]

    def space(self) -> Space:
        """What the tuner may choose: as a file says, or what follows from the algorithm."""
        path = SPACES / f"{self.name}.toml"
        return load_space(path).space if path.exists() else derive(self.pipeline())


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


def matmul() -> Pipeline:
    """The product of two matrices."""
    y, x = variables("y x")
    a, b, product = Input("a", f32, 2), Input("b", f32, 2), Func("product")
    r = RDom(k=a.extent(1))
    product[y, x] = sum_over(r, a[y, r.k] * b[r.k, x])
    return Pipeline(product, "app-matmul")


def conv() -> Pipeline:
    """Convolutions of 3x3 pixels and all channels, biased and rectified; channels are innermost."""
    n, y, x, c = variables("n y x c")
    images, weights, bias = Input("images", f32, 4), Input("weights", f32, 4), Input("bias", f32, 1)
    layer = Func("layer")
    r = RDom(ky=3, kx=3, k=images.extent(3))
    total = sum_over(r, images[n, y + r.ky, x + r.kx, r.k] * weights[r.ky, r.kx, r.k, c])
    layer[n, y, x, c] = maximum(total + bias[c], 0.0)
    return Pipeline(layer, "app-conv")


def _bytes(*shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def _floats(*shape: int) -> npt.NDArray[np.float32]:
    """Above zero: unsharp divides by grey."""
    return (_bytes(*shape).astype(np.float32) + 1) / np.float32(256)


def _blur_inputs(shape: tuple[int, ...]) -> dict[str, Array]:
    return {"image": _bytes(shape[0] + 2, shape[1] + 2).astype(np.uint16)}


def _unsharp_inputs(shape: tuple[int, ...]) -> dict[str, Array]:
    return {"image": _floats(3, shape[1] + 6, shape[2] + 6)}


def _harris_inputs(shape: tuple[int, ...]) -> dict[str, Array]:
    return {"image": _floats(3, shape[0] + 4, shape[1] + 4)}


def _matmul_inputs(shape: tuple[int, ...]) -> dict[str, Array]:
    return {"a": _floats(shape[0], TERMS), "b": _floats(TERMS, shape[1])}


def _conv_inputs(shape: tuple[int, ...]) -> dict[str, Array]:
    count, height, width, channels = shape
    return {
        "images": _floats(count, height + 2, width + 2, CHANNELS),
        "weights": _floats(3, 3, CHANNELS, channels) - np.float32(0.5),
        "bias": _floats(channels),
    }


APPS: Final = {
    app.name: app
    for app in (
        App("blur", "blur 3x3, u16, 2560x1600", blur, _blur_inputs, (1600, 2560), (68, 88)),
        App("unsharp", "unsharp mask, f32, 1536x2560", unsharp, _unsharp_inputs, (3, 2560, 1536), (3, 64, 84)),
        App("harris", "Harris corners, f32, 1536x2560", harris, _harris_inputs, (2560, 1536), (66, 86)),
        App("matmul", "matrix product, f32, 1024x1024x1024", matmul, _matmul_inputs, (1024, 1024), (37, 84)),
        App("conv", "convolutions 3x3, f32, 4x56x56x64", conv, _conv_inputs, (4, 56, 56, 64), (2, 7, 9, 40)),
    )
}

__all__ = ["APPS", "GAUSS", "GREY", "SLOPE", "SPACES", "TRACE", "App"]
