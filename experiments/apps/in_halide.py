"""The same programs in Halide: scheduled by Adams2019, and by hand as Halide's own apps are."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.apps.programs import CHANNELS, GAUSS, GREY, SLOPE, TERMS, TRACE, App
from experiments.optional import halide, schedule_by_adams2019

Job = Callable[[], npt.NDArray[Any]]


def job(app: App, inputs: Mapping[str, npt.NDArray[Any]], schedule: str, threads: int) -> Job:
    """Runs `app` on `inputs`; `schedule` is "adams2019" or "manual".

    Halide reads its number of threads once a process, before the first program.
    """
    os.environ["HL_NUM_THREADS"] = str(threads)
    hl = halide()
    sources = []
    for array in inputs.values():
        source = hl.ImageParam({2: hl.UInt(16), 4: hl.Float(32)}[array.dtype.itemsize], array.ndim)
        source.set(hl.Buffer(array))
        sources.append(source)
    output, by_hand = _PROGRAMS[app.name](hl, *sources)
    target = hl.get_jit_target_from_environment()
    pipeline = hl.Pipeline(output)
    if schedule == "manual":
        by_hand(target.natural_vector_size(output.type()))
    else:
        output.set_estimates([hl.Range(0, n) for n in reversed(app.shape)])
        for source, array in zip(sources, inputs.values(), strict=True):
            source.set_estimates([hl.Range(0, n) for n in reversed(array.shape)])
        schedule_by_adams2019(hl, pipeline, target, threads)
    pipeline.compile_jit(target)
    made = np.empty(app.shape, app.pipeline().output.type.dtype)
    buffer = hl.Buffer(made)

    def run() -> npt.NDArray[Any]:
        pipeline.realize(buffer)
        return made

    return run


def _blur(hl: Any, image: Any) -> tuple[Any, Callable[[int], None]]:
    x, y, yi = hl.Var("x"), hl.Var("y"), hl.Var("yi")
    across, blurred = hl.Func("across"), hl.Func("blurred")
    three = hl.u16(3)
    across[x, y] = (image[x, y] + image[x + 1, y] + image[x + 2, y]) // three
    blurred[x, y] = (across[x, y] + across[x, y + 1] + across[x, y + 2]) // three

    def by_hand(lanes: int) -> None:
        blurred.split(y, y, yi, 32).parallel(y).vectorize(x, lanes)
        across.store_at(blurred, y).compute_at(blurred, yi).vectorize(x, lanes)

    return blurred, by_hand


def _grey(hl: Any, image: Any, x: Any, y: Any) -> Any:
    red, green, blue = (hl.f32(weight) for weight in GREY)
    return image[x, y, 0] * red + image[x, y, 1] * green + image[x, y, 2] * blue


def _gauss(hl: Any, at: Callable[[int], Any]) -> Any:
    total = at(0) * hl.f32(GAUSS[0])
    for k in range(1, 4):
        total = total + (at(-k) + at(k)) * hl.f32(GAUSS[k])
    return total


def _unsharp(hl: Any, image: Any) -> tuple[Any, Callable[[int], None]]:
    x, y, c, yi = hl.Var("x"), hl.Var("y"), hl.Var("c"), hl.Var("yi")
    grey, down, ratio, sharp = (hl.Func(name) for name in ("grey", "down", "ratio", "sharp"))
    grey[x, y] = _grey(hl, image, x, y)
    down[x, y] = _gauss(hl, lambda k: grey[x, y + 3 + k])
    blurred = _gauss(hl, lambda k: down[x + 3 + k, y])
    ratio[x, y] = (grey[x + 3, y + 3] * hl.f32(2) - blurred) / grey[x + 3, y + 3]
    sharp[x, y, c] = ratio[x, y] * image[x + 3, y + 3, c]

    def by_hand(lanes: int) -> None:
        sharp.bound(c, 0, 3).split(y, y, yi, 32).reorder(x, c, yi, y).unroll(c).parallel(y).vectorize(x, lanes)
        grey.store_at(sharp, y).compute_at(sharp, yi).vectorize(x, lanes)
        down.compute_at(sharp, yi).vectorize(x, lanes)
        ratio.compute_at(sharp, yi).vectorize(x, lanes)

    return sharp, by_hand


def _harris(hl: Any, image: Any) -> tuple[Any, Callable[[int], None]]:
    x, y, yi = hl.Var("x"), hl.Var("y"), hl.Var("yi")
    grey, dx, dy, corners = (hl.Func(name) for name in ("grey", "dx", "dy", "corners"))
    grey[x, y] = _grey(hl, image, x, y)
    one, two = hl.f32(SLOPE), hl.f32(2 * SLOPE)

    def slope(at: Callable[[int, int], Any]) -> Any:
        total = at(0, 2) * one - at(0, 0) * one
        total = total + at(1, 2) * two - at(1, 0) * two
        return total + at(2, 2) * one - at(2, 0) * one

    dx[x, y] = slope(lambda j, i: grey[x + i, y + j])
    dy[x, y] = slope(lambda j, i: grey[x + j, y + i])

    def summed(a: Any, b: Any) -> Any:
        total = None
        for j in range(3):
            for i in range(3):
                term = a[x + i, y + j] * b[x + i, y + j]
                total = term if total is None else total + term
        return total

    xx, yy, xy = summed(dx, dx), summed(dy, dy), summed(dx, dy)
    corners[x, y] = xx * yy - xy * xy - (xx + yy) * (xx + yy) * hl.f32(TRACE)

    def by_hand(lanes: int) -> None:
        corners.split(y, y, yi, 32).parallel(y).vectorize(x, lanes)
        grey.store_at(corners, y).compute_at(corners, yi).vectorize(x, lanes)
        for slopes in (dx, dy):
            slopes.store_at(corners, y).compute_at(corners, yi).vectorize(x, lanes)
        dx.compute_with(dy, x)

    return corners, by_hand


def _matmul(hl: Any, a: Any, b: Any) -> tuple[Any, Callable[[int], None]]:
    x, y, xy, xi, yi, xj, yj = (hl.Var(name) for name in ("x", "y", "xy", "xi", "yi", "xj", "yj"))
    r = hl.RDom([(0, TERMS)])
    total, product = hl.Func("total"), hl.Func("product")
    total[x, y] = hl.f32(0)
    total[x, y] += a[r.x, y] * b[x, r.x]
    product[x, y] = total[x, y]

    def by_hand(lanes: int) -> None:
        product.tile(x, y, xi, yi, 4 * lanes, 64).fuse(x, y, xy).parallel(xy)
        product.tile(xi, yi, xj, yj, 4 * lanes, 4).vectorize(xj, lanes).unroll(xj).unroll(yj)
        total.compute_at(product, xi).vectorize(x, lanes).unroll(x).unroll(y)
        total.update(0).reorder(x, y, r.x).vectorize(x, lanes).unroll(x).unroll(y)

    return product, by_hand


def _conv(hl: Any, images: Any, weights: Any, bias: Any) -> tuple[Any, Callable[[int], None]]:
    c, x, y, n, co, ci, xo, xi = (hl.Var(name) for name in ("c", "x", "y", "n", "co", "ci", "xo", "xi"))
    r = hl.RDom([(0, CHANNELS), (0, 3), (0, 3)])
    total, layer = hl.Func("total"), hl.Func("layer")
    total[c, x, y, n] = hl.f32(0)
    total[c, x, y, n] += images[r.x, x + r.y, y + r.z, n] * weights[c, r.x, r.y, r.z]
    layer[c, x, y, n] = hl.max(total[c, x, y, n] + bias[c], hl.f32(0))

    def by_hand(lanes: int) -> None:
        layer.split(c, co, ci, 2 * lanes).split(x, xo, xi, 8).reorder(ci, xi, xo, y, n, co)
        layer.vectorize(ci, lanes).unroll(ci).unroll(xi).parallel(y).parallel(n).parallel(co)
        total.compute_at(layer, xo).vectorize(c, lanes).unroll(c).unroll(x).unroll(y)
        update = total.update(0).reorder(c, x, y, r.x, r.y, r.z)
        update.vectorize(c, lanes).unroll(c).unroll(x).unroll(y).unroll(r.x, 2)

    return layer, by_hand


_PROGRAMS: dict[str, Callable[..., tuple[Any, Callable[[int], None]]]] = {
    "blur": _blur,
    "unsharp": _unsharp,
    "harris": _harris,
    "matmul": _matmul,
    "conv": _conv,
}
