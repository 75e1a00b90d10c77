"""Blur, unsharp mask and Harris corners, and three ways to compute each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autosched.lang import (
    Expr,
    Func,
    Input,
    Pipeline,
    RDom,
    cast,
    clamp,
    f32,
    maximum,
    minimum,
    sum_over,
    u8,
    u16,
    variables,
)  # fmt: skip
from autosched.schedule import Schedule


@dataclass(frozen=True)
class App:
    """A pipeline, the dimensions of its input and output, and its schedules by name."""

    pipeline: Pipeline
    colours: bool
    schedules: dict[str, Schedule]


def blur() -> App:
    """The mean of 3x3 pixels, in two passes of 16 bits."""
    y, x = variables("y x")
    image = Input("image", u8, 2)
    clamped, across, blurred = Func("clamped"), Func("across"), Func("blurred")
    clamped[y, x] = cast(u16, image[clamp(y, 0, image.extent(0) - 1), clamp(x, 0, image.extent(1) - 1)])
    across[y, x] = (clamped[y, x - 1] + clamped[y, x] + clamped[y, x + 1]) // 3
    blurred[y, x] = cast(u8, (across[y - 1, x] + across[y, x] + across[y + 1, x]) // 3)
    schedules = {
        "root": Schedule().compute_root("across"),
        "tiled": Schedule()
        .tile("blurred", "y", "x", "yo", "xo", "yi", "xi", 8, 32)
        .parallel("blurred", "yo")
        .vectorize("blurred", "xi", 16)
        .compute_at("across", "blurred", "xo")
        .vectorize("across", "x", 16),
        "sliding": Schedule()
        .split("blurred", "y", "yo", "yi", 16)
        .parallel("blurred", "yo")
        .vectorize("blurred", "x", 16, "shift_inwards")
        .compute_at("across", "blurred", "yi")
        .store_at("across", "blurred", "yo")
        .fold_storage("across", "y")
        .vectorize("across", "x", 16, "round_up"),
    }
    return App(Pipeline(blurred), False, schedules)


def unsharp() -> App:
    """Sharpening by the difference to a Gaussian blur, in colour and in f32."""
    y, x, c = variables("y x c")
    image = Input("image", u8, 3)
    kernel = [0.0625, 0.25, 0.375, 0.25, 0.0625]
    value, across, down, sharp = Func("value"), Func("across"), Func("down"), Func("sharp")
    value[y, x, c] = cast(f32, image[clamp(y, 0, image.extent(0) - 1), clamp(x, 0, image.extent(1) - 1), c])

    def weighted(at: Callable[[int], Expr]) -> Expr:
        total = at(-2) * kernel[0]
        for k in range(1, 5):
            total = total + at(k - 2) * kernel[k]
        return total

    across[y, x, c] = weighted(lambda k: value[y, x + k, c])
    down[y, x, c] = weighted(lambda k: across[y + k, x, c])
    sharp[y, x, c] = cast(u8, minimum(maximum(value[y, x, c] * 2.0 - down[y, x, c], 0.0), 255.0))
    schedules = {
        "root": Schedule().compute_root("across").compute_root("down").vectorize("down", "x", 8),
        "rows": Schedule()
        .parallel("sharp", "y")
        .reorder("sharp", "y", "c", "x")
        .unroll("sharp", "c", 3)
        .vectorize("sharp", "x", 8)
        .compute_at("down", "sharp", "y")
        .reorder("down", "y", "c", "x")
        .vectorize("down", "x", 8)
        .compute_at("across", "sharp", "y")
        .reorder("across", "y", "c", "x")
        .vectorize("across", "x", 8),
        "sliding": Schedule()
        .split("sharp", "y", "yo", "yi", 8)
        .parallel("sharp", "yo")
        .compute_at("across", "sharp", "yi")
        .store_at("across", "sharp", "yo")
        .fold_storage("across", "y")
        .reorder_storage("across", "y", "c", "x")
        .reorder("across", "y", "c", "x")
        .vectorize("across", "x", 16)
        .reorder("sharp", "yo", "yi", "c", "x")
        .vectorize("sharp", "x", 16)
        .loads("sharp", "image", "gather"),
    }
    return App(Pipeline(sharp), True, schedules)


def harris() -> App:
    """Harris corner strength of a grey image."""
    y, x = variables("y x")
    image = Input("image", u8, 2)
    grey = Func("grey")
    grey[y, x] = cast(f32, image[clamp(y, 0, image.extent(0) - 1), clamp(x, 0, image.extent(1) - 1)]) / 255.0
    dx, dy = Func("dx"), Func("dy")
    dx[y, x] = (
        (grey[y - 1, x + 1] - grey[y - 1, x - 1])
        + (grey[y, x + 1] - grey[y, x - 1]) * 2.0
        + (grey[y + 1, x + 1] - grey[y + 1, x - 1])
    )
    dy[y, x] = (
        (grey[y + 1, x - 1] - grey[y - 1, x - 1])
        + (grey[y + 1, x] - grey[y - 1, x]) * 2.0
        + (grey[y + 1, x + 1] - grey[y - 1, x + 1])
    )
    products = {"xx": (dx, dx), "yy": (dy, dy), "xy": (dx, dy)}
    sums: dict[str, Func] = {}
    for name, (a, b) in products.items():
        window = RDom(ky=3, kx=3)
        sums[name] = Func(f"sum_{name}")
        at = y + window.ky - 1, x + window.kx - 1
        sums[name][y, x] = sum_over(window, a[at] * b[at])
    corners = Func("corners")
    xx, yy, xy = (sums[n][y, x] for n in ("xx", "yy", "xy"))
    trace = xx + yy
    corners[y, x] = xx * yy - xy * xy - trace * trace * 0.04
    root, tiled, lines = Schedule(), Schedule(), Schedule()
    tiled = tiled.tile("corners", "y", "x", "yo", "xo", "yi", "xi", 8, 16, "shift_inwards").parallel("corners", "yo")
    tiled = tiled.vectorize("corners", "xi", 8)
    lines = lines.parallel("corners", "y").vectorize("corners", "x", 8).unroll("corners", "x_vo", 2)
    for n in ("dx", "dy"):
        root = root.compute_root(n).vectorize(n, "x", 16)
        tiled = tiled.compute_at(n, "corners", "xo").vectorize(n, "x", 8)
        lines = lines.compute_at(n, "corners", "y").vectorize(n, "x", 8, "round_up").align_storage(n, "x", 16)
    for n in ("sum_xx", "sum_yy", "sum_xy"):
        root = root.compute_root(n).vectorize(n, "x", 8).unroll(n, "kx", 3)
        tiled = tiled.compute_at(n, "corners", "xo").vectorize(n, "x", 8).unroll(n, "ky", 3).unroll(n, "kx", 3)
        lines = lines.inline(n)
    return App(Pipeline(corners), False, {"root": root, "tiled": tiled, "lines": lines})


APPS = {"blur": blur, "unsharp": unsharp, "harris": harris}
