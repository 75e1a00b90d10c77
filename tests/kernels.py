"""Compares kernels with the interpreter, for tests that write their own algorithms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from autosched.codegen import build
from autosched.lang import Func, Pipeline, interpret
from autosched.lower.demands import Target
from autosched.runtime import Kernel, kernel
from autosched.schedule import Schedule


def same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    """Whether two arrays have one type and the same bits; all NaNs are equal."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype.kind != "f":
        return np.array_equal(a, b)
    bits = np.dtype(f"u{a.dtype.itemsize}")
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    return bool(((a.view(bits) == b.view(bits)) | (np.isnan(a) & np.isnan(b))).all())


def assert_equals_interpreter(
    output: Func, shape: tuple[int, ...], schedule: Schedule | None = None, threads: int = 2, **given: Any
) -> None:
    """Compute `output` under `schedule` and by the interpreter; both must have the same bits."""
    pipeline = Pipeline(output)
    inputs = {n: v for n, v in given.items() if n in pipeline.inputs}
    params = {n: v for n, v in given.items() if n in pipeline.params}
    expected = interpret(pipeline, shape, inputs, params)
    result = Kernel(pipeline, schedule or Schedule())(shape=shape, threads=threads, **given)
    assert same(result, expected), f"{result}\nexpected\n{expected}"


def compile_for(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are lowered as if the CPU had the instructions of `target`, from here to the end of the test."""
    for module in (build, kernel):
        monkeypatch.setattr(module, "target", lambda excluded=frozenset(): replace(target, excluded=excluded))
