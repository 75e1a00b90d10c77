"""The way into compiled stages from Python: one function for all of them, which gives the GIL up while it runs.

Numba's own dispatchers look at the types of their arguments in every call; those of stages are always three numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from numba import cfunc

import autosched.codegen.stored  # noqa: F401  (what cache=True means)
from autosched.codegen.simd.ops import call_stage


@cfunc("int64(int64, int64, int64, int64)", cache=True)
def _run_stage(stage, arguments, first, last):  # type: ignore[no-untyped-def]
    return call_stage(stage, arguments, first, last)


#: Runs iterations `first`..`last`-1 of the stage at an address, with the arguments at an address; its status.
run_stage: Callable[[int, int, int, int], int] = _run_stage.ctypes
