"""How Numba compiles generated code: no pass that it has no use for, and each kind of call is typed once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from numba import int64
from numba.core.cpu import CPUContext
from numba.core.typing.context import BaseContext

from autosched import Func, Input, Pipeline, Schedule
from autosched.codegen.build import build
from autosched.lang import f32, variables


def compiled(name: str) -> Any:
    """The one stage of a pipeline that no cache has: its name is part of the source."""
    y, x = variables("y x")
    source, out = Input("source", f32, 2), Func("out")
    out[y, x] = source[y, x] * 1.5 + source[y, x]
    (stage,) = build(Pipeline(out, name), Schedule().vectorize("out", "x", 16)).stages
    return stage


@pytest.fixture(autouse=True)
def _empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    for module in ("codegen.build", "compiled"):
        monkeypatch.setattr(f"autosched.{module}.cache_directory", lambda: tmp_path)


def test_passes() -> None:
    (overload,) = compiled("passes").overloads.values()
    (passes,) = overload.metadata["pipeline_times"].values()
    assert [name.partition("_")[2] for name in passes] == [
        "translate_bytecode", "fixup_args", "kernel_blocks", "kernel_type_inference", "kernel_lowering",
        "nopython_backend",
    ]  # fmt: skip


def test_calls_are_typed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved: Counter[Any] = Counter()
    usual = BaseContext.resolve_function_type

    def counted(self: BaseContext, func: Any, args: Any, kws: Any) -> Any:
        resolved[func, args] += 1
        return usual(self, func, args, kws)

    monkeypatch.setattr(BaseContext, "resolve_function_type", counted)
    compiled("typed_once")
    # Numba asks for some outside of type inference, where nothing is remembered.
    assert len(resolved) > 10 and sum(resolved.values()) < 1.5 * len(resolved)


def test_operations_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[Any] = Counter()
    usual = CPUContext.get_function

    def counted(self: CPUContext, fn: Any, sig: Any, *args: Any, **kwargs: Any) -> Any:
        asked[fn, sig.args] += 1
        return usual(self, fn, sig, *args, **kwargs)

    monkeypatch.setattr(CPUContext, "get_function", counted)
    compiled("looked_up_once")
    added = {key: n for key, n in asked.items() if "add" in str(key[0]) and key[1] == (int64, int64)}
    assert len(added) == 1 and set(added.values()) == {1}
