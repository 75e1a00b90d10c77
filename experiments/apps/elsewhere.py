"""The same programs as plain loops that Numba compiles, and by functions of OpenCV, NumPy and torch."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange, set_num_threads

from experiments.apps.programs import GAUSS, GREY, SIGMA, SLOPE, TRACE, App
from experiments.implementation import NotAvailableError
from experiments.optional import opencv

Array = npt.NDArray[Any]
Inputs = dict[str, Array]
Job = Callable[[], Array]

_RED, _GREEN, _BLUE = (np.float32(weight) for weight in GREY)
_G0, _G1, _G2, _G3 = (np.float32(weight) for weight in GAUSS)
_ONE, _TWO, _TRACE = np.float32(SLOPE), np.float32(2 * SLOPE), np.float32(TRACE)


def in_numba(app: App, inputs: Inputs, threads: int) -> Job:
    """Every stage a loop over all rows, on `threads` threads."""
    set_num_threads(threads)
    made = np.empty(app.shape, app.pipeline().output.type.dtype)
    kernel = {"blur": _blur, "unsharp": _unsharp, "harris": _harris, "matmul": _matmul, "conv": _conv}[app.name]

    def run() -> Array:
        kernel(*inputs.values(), made)
        return made

    return run


@njit(parallel=True, cache=True)
def _blur(image, out):  # type: ignore[no-untyped-def]
    height, width = out.shape
    across = np.empty((height + 2, width), np.uint16)
    for y in prange(height + 2):
        for x in range(width):
            across[y, x] = np.uint16(image[y, x] + image[y, x + 1] + image[y, x + 2]) // np.uint16(3)
    for y in prange(height):
        for x in range(width):
            out[y, x] = np.uint16(across[y, x] + across[y + 1, x] + across[y + 2, x]) // np.uint16(3)


@njit(parallel=True, cache=True)
def _grey(image, grey):  # type: ignore[no-untyped-def]
    for y in prange(grey.shape[0]):
        for x in range(grey.shape[1]):
            grey[y, x] = image[0, y, x] * _RED + image[1, y, x] * _GREEN + image[2, y, x] * _BLUE


@njit(parallel=True, cache=True)
def _unsharp(image, out):  # type: ignore[no-untyped-def]
    _, height, width = out.shape
    grey = np.empty(image.shape[1:], np.float32)
    _grey(image, grey)
    down = np.empty((height, width + 6), np.float32)
    for y in prange(height):
        for x in range(width + 6):
            near = (grey[y + 2, x] + grey[y + 4, x]) * _G1
            far = (grey[y + 1, x] + grey[y + 5, x]) * _G2
            down[y, x] = grey[y + 3, x] * _G0 + near + far + (grey[y, x] + grey[y + 6, x]) * _G3
    for y in prange(height):
        for x in range(width):
            near = (down[y, x + 2] + down[y, x + 4]) * _G1
            far = (down[y, x + 1] + down[y, x + 5]) * _G2
            blurred = down[y, x + 3] * _G0 + near + far + (down[y, x] + down[y, x + 6]) * _G3
            ratio = (grey[y + 3, x + 3] * np.float32(2) - blurred) / grey[y + 3, x + 3]
            for c in range(3):
                out[c, y, x] = ratio * image[c, y + 3, x + 3]


@njit(parallel=True, cache=True)
def _harris(image, out):  # type: ignore[no-untyped-def]
    height, width = out.shape
    grey = np.empty(image.shape[1:], np.float32)
    _grey(image, grey)
    dx = np.empty((height + 2, width + 2), np.float32)
    dy = np.empty((height + 2, width + 2), np.float32)
    for y in prange(height + 2):
        for x in range(width + 2):
            a, b, c = grey[y, x], grey[y, x + 1], grey[y, x + 2]
            d, f = grey[y + 1, x], grey[y + 1, x + 2]
            g, h, i = grey[y + 2, x], grey[y + 2, x + 1], grey[y + 2, x + 2]
            dx[y, x] = (c - a) * _ONE + (f - d) * _TWO + (i - g) * _ONE
            dy[y, x] = (g - a) * _ONE + (h - b) * _TWO + (i - c) * _ONE
    for y in prange(height):
        for x in range(width):
            xx = yy = xy = np.float32(0)
            for j in range(3):
                for i in range(3):
                    p, q = dx[y + j, x + i], dy[y + j, x + i]
                    xx += p * p
                    yy += q * q
                    xy += p * q
            out[y, x] = xx * yy - xy * xy - (xx + yy) * (xx + yy) * _TRACE


@njit(parallel=True, cache=True)
def _matmul(a, b, out):  # type: ignore[no-untyped-def]
    height, terms = a.shape
    for y in prange(height):
        out[y] = 0
        for k in range(terms):
            factor = a[y, k]
            for x in range(out.shape[1]):
                out[y, x] += factor * b[k, x]


@njit(parallel=True, cache=True)
def _conv(images, weights, bias, out):  # type: ignore[no-untyped-def]
    count, height, width, channels = out.shape
    for row in prange(count * height):
        n, y = row // height, row % height
        for x in range(width):
            out[n, y, x] = 0
            for j in range(3):
                for i in range(3):
                    for k in range(images.shape[3]):
                        factor = images[n, y + j, x + i, k]
                        for c in range(channels):
                            out[n, y, x, c] += factor * weights[j, i, k, c]
            for c in range(channels):
                out[n, y, x, c] = max(out[n, y, x, c] + bias[c], np.float32(0))


def in_opencv(app: App, inputs: Inputs, threads: int) -> Job:
    """OpenCV's nearest functions; their rounding, and for Harris their scale, are their own."""
    cv2 = opencv()
    cv2.setNumThreads(threads)

    def blur() -> Array:
        return np.asarray(cv2.blur(inputs["image"], (3, 3)))

    def grey() -> Any:
        return cv2.transform(cv2.merge(list(inputs["image"])), np.array([GREY], np.float32))

    def unsharp() -> Array:
        plain = grey()
        ratio = cv2.divide(cv2.addWeighted(plain, 2, cv2.GaussianBlur(plain, (7, 7), SIGMA), -1, 0), plain)
        return np.stack([cv2.multiply(ratio, plane) for plane in inputs["image"]])

    def harris() -> Array:
        return np.asarray(cv2.cornerHarris(grey(), 3, 3, TRACE))

    def matmul() -> Array:
        return np.asarray(cv2.gemm(inputs["a"], inputs["b"], 1, None, 0))

    found = {"blur": blur, "unsharp": unsharp, "harris": harris, "matmul": matmul}.get(app.name)
    if found is None:
        raise NotAvailableError("OpenCV has no such function")
    return found


def in_torch(app: App, inputs: Inputs, threads: int) -> Job:
    """What torch calls for a matrix product (MKL) and for convolutions (oneDNN), on tensors of the same memory."""
    try:
        torch = import_module("torch")
    except ImportError as error:
        raise NotAvailableError("torch is not installed") from error
    torch.set_num_threads(threads)
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}

    def matmul() -> Array:
        return np.asarray(torch.mm(tensors["a"], tensors["b"]))

    def conv() -> Array:
        # the same memory, where torch expects channels before rows
        images = tensors["images"].permute(0, 3, 1, 2)
        layer = torch.nn.functional.conv2d(images, weights, tensors["bias"]).relu_()
        return np.asarray(layer.permute(0, 2, 3, 1))

    if app.name == "matmul":
        return matmul
    if app.name == "conv":
        weights = tensors["weights"].permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        return conv
    raise NotAvailableError("torch has no such function")
