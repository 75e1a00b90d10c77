"""Checks: bit for bit, against the interpreter, with messages that say where."""

from __future__ import annotations

from typing import Any

import blur_family
import numpy as np
import pytest

from autosched.errors import TuneError
from autosched.runtime import compile as compile_kernel
from autosched.tune import check
from autosched.tune.check import Check, difference, first_difference, plan_checks, reference
from autosched.workload import Binding, Workload


class Wrong:
    """A kernel that computes everything but one element."""

    def __init__(self, right: Any, skip: bool) -> None:
        self.right = right
        self.skip = skip

    def __call__(self, *, out: Any = None, shape: Any = None, threads: Any = None, **given: Any) -> Any:
        made = self.right(shape=shape or out.shape, **given)
        if out is None:
            return made
        kept = out[0, 1]
        out[...] = made
        out[0, 1] = kept if self.skip else made[0, 1] + 1
        return out


@pytest.fixture(scope="module")
def kernel() -> Any:
    return compile_kernel(blur_family.pipeline())


def binding(height: int, width: int, expected: Any = None) -> Binding:
    image = np.random.default_rng(height).integers(0, 256, (height, width), np.uint8)
    return Binding({"image": image}, (height - 2, width - 2), expected)


def test_distinct_shapes_smallest_first(kernel: Any) -> None:
    calls = (binding(20, 30), binding(8, 9), binding(20, 30), binding(10, 9))
    checks = plan_checks(kernel.pipeline, Workload("w", calls, checks=lambda: (binding(3, 4),)), kernel)
    assert [c.binding.shape for c in checks] == [(1, 2), (6, 7), (8, 7), (18, 28)]
    for c in checks:
        a = c.binding.given["image"].astype(int)
        h, w = c.expected.shape
        total = sum(a[i : i + h, j : j + w] for i in range(3) for j in range(3))
        assert np.array_equal(c.expected, total // 9)
    assert first_difference(kernel, checks, 1) is None


def test_what_is_given_is_expected(kernel: Any) -> None:
    wrong = np.zeros((6, 7), np.uint8)
    (only,) = plan_checks(kernel.pipeline, Workload("w", (binding(8, 9, wrong),)), kernel)
    assert only.expected is wrong or np.array_equal(only.expected, wrong)
    assert first_difference(kernel, [only], 1)


def test_large_calls_are_checked_against_a_checked_kernel(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "INTERPRETED", 500)
    interpreted = []
    real = reference
    monkeypatch.setattr(check, "reference", lambda p, b: (interpreted.append(b.shape), real(p, b))[1])
    calls = Workload("w", (binding(8, 9), binding(40, 50), binding(41, 50)))
    checks = plan_checks(kernel.pipeline, calls, kernel)
    assert interpreted == [(6, 7)] and len(checks) == 3
    assert np.array_equal(checks[2].expected, real(kernel.pipeline, checks[2].binding))
    with pytest.raises(TuneError, match=r"default schedule of blur-test does not compute .*: 1 of 42"):
        plan_checks(kernel.pipeline, calls, Wrong(kernel, skip=False))  # type: ignore[arg-type]


def test_memory_for_expected_outputs_is_bounded(kernel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "KEPT", 100)
    calls = Workload("w", (binding(8, 9), binding(9, 9), binding(40, 50)))
    assert len(plan_checks(kernel.pipeline, calls, kernel)) == 2
    assert len(plan_checks(kernel.pipeline, Workload("w", (binding(40, 50),)), kernel)) == 1


def test_elements_that_are_forgotten_are_noticed(kernel: Any) -> None:
    one = binding(8, 9)
    checks = [Check(one, reference(kernel.pipeline, one))]
    for skip in (True, False):
        assert "1 of 42 elements (2.38 %) differ, the first at [0, 1]" in str(
            first_difference(Wrong(kernel, skip), checks, 1)  # type: ignore[arg-type]
        )


def test_differences_are_of_bits() -> None:
    a = np.array([[0.0, np.nan], [1.0, 2.0]], np.float32)
    assert difference(a, a.copy()) is None
    b = a.copy()
    b[0, 0] = -0.0
    assert difference(a, b) == (
        "1 of 4 elements (25 %) differ, the first at [0, 0]: np.float32(-0.0), expected np.float32(0.0)"
    )
    assert difference(a, a.astype(np.float64)) == "it is float64 [2, 2], expected float32 [2, 2]"
    assert difference(a, a[:1]) == "it is float32 [1, 2], expected float32 [2, 2]"
    assert difference(a.T, a.T.copy()) is None
