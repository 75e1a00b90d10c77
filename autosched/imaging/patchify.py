"""Cutting an image into patches, in the language: a layout of the output."""

from __future__ import annotations

from autosched.lang import Func, relayout, variables


def patchify(image: Func, name: str, patch: int, merge: int, frames: int) -> Func:
    """`image[c, y, x]` as `[gy, gx, my, mx, c, t, py, px]`: squares of merge x merge patches, an image in every frame.

    Row ((gy * gw + gx) * merge + my) * merge + mx of the result is a patch of channel, frame, y, x. Where there is an
    image a frame, it is `image[c, t, y, x]`.
    """
    gy, gx, my, mx, c, t, py, px = variables("gy gx my mx c t py px")
    out = relayout(
        image,
        name,
        (gy, gx, my, mx, c, t, py, px),
        (c, *([t] if len(image.args) == 4 else []), (gy * merge + my) * patch + py, (gx * merge + mx) * patch + px),
    )
    for var, extent in ((my, merge), (mx, merge), (c, 3), (t, frames), (py, patch), (px, patch)):
        out.bound(var, extent)
    return out
