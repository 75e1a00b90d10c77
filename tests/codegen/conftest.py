"""Fixtures for tests of generated code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from numba import int64, njit, void

from autosched.codegen.simd import ops


def _compile_kernel(lines: Sequence[str], arguments: str) -> Any:
    source = f"def kernel({arguments}):\n" + "\n".join(f"    {line}" for line in lines)
    code = compile(source, "<kernel>", "exec")
    body = next(constant for constant in code.co_consts if hasattr(constant, "co_names"))
    scope = {name: getattr(ops, name) for name in body.co_names if name != "range"}
    exec(code, scope)
    signature = void(*[int64] * len(arguments.split(",")))
    options = {"nogil": True, "error_model": "numpy", "boundscheck": False}
    return njit(signature, **options)(scope["kernel"])


@pytest.fixture
def compile_kernel() -> Callable[[Sequence[str], str], Any]:
    """Compile a body of SIMD operations into a kernel of int64 arguments ("src, dst")."""
    return _compile_kernel
