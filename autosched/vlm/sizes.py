"""Size rules that several families share: host arithmetic, with the rounding of the published code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from autosched.errors import ArgumentError
from autosched.vlm.preparation import Reference

Size: TypeAlias = tuple[int, int]


def fitted(height: int, width: int, wanted: Mapping[str, int]) -> Size:
    """The size that transformers' processors resize to for a `size` of the keys in `wanted`.

    `height` and `width`; `max_height` and `max_width` (the largest that fits); `shortest_edge`, with or without
    `longest_edge` as a limit of the other side. Sides are rounded down.

    Raises:
        ArgumentError: other keys.
    """
    if {"shortest_edge", "longest_edge"} <= wanted.keys():
        return _limited(height, width, wanted["shortest_edge"], wanted["longest_edge"])
    if "shortest_edge" in wanted:
        edge = wanted["shortest_edge"]
        if width <= height:
            return int(edge * height / width), edge
        return edge, int(edge * width / height)
    if {"max_height", "max_width"} <= wanted.keys():
        scale = min(wanted["max_height"] / height, wanted["max_width"] / width)
        return int(height * scale), int(width * scale)
    if {"height", "width"} <= wanted.keys():
        return wanted["height"], wanted["width"]
    raise ArgumentError(f"a size with {sorted(wanted)} says nothing; give height and width, or shortest_edge")


def _limited(height: int, width: int, shortest: int, longest: int) -> Size:
    low, high = float(min(height, width)), float(max(height, width))
    exact: float = shortest
    if high / low * shortest > longest:
        exact = longest * low / high
        shortest = round(exact)
    if min(height, width) == shortest:
        return height, width
    if width < height:
        return int(exact * height / width), shortest
    return shortest, int(exact * width / height)


def centred(size: Size, crop: Size, reference: Reference) -> Size:
    """Where a crop of `crop` pixels in the middle of `size` begins; negative where it is larger and pads.

    The references differ in where an odd pixel goes.
    """

    def along(extent: int, wanted: int) -> int:
        if reference == "pil" or wanted <= extent:
            return (extent - wanted) // 2
        return -((wanted - extent) // 2)

    return along(size[0], crop[0]), along(size[1], crop[1])


def best_resolution(height: int, width: int, resolutions: Sequence[Sequence[int]]) -> Size:
    """The one of `resolutions` (heights and widths) that keeps most pixels of an image, of those the least empty.

    Raises:
        ArgumentError: there is none.
    """
    best: Size | None = None
    most, least = 0, math.inf
    for h, w in resolutions:
        scale = min(w / width, h / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        empty = h * w - kept
        if kept > most or (kept == most and empty < least):
            best, most, least = (h, w), kept, empty
    if best is None:
        raise ArgumentError(f"no resolution of {list(resolutions)} suits an image of {width}x{height} pixels")
    return best


def inside(height: int, width: int, canvas: Size) -> Size:
    """The largest size of the same aspect within `canvas`; the side that is free is rounded up."""
    across, down = canvas[1] / width, canvas[0] / height
    if across < down:
        return min(math.ceil(height * across), canvas[0]), canvas[1]
    return canvas[0], min(math.ceil(width * down), canvas[1])
