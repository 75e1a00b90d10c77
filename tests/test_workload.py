"""Buckets: distances and the nearest."""

from __future__ import annotations

import math

import pytest

from autosched.workload import Bucket, nearest

A, B = Bucket("a", {"pixels": 1e6, "scale": 1.0}), Bucket("b", {"pixels": 4e6, "scale": 0.5})


def test_distance_counts_factors() -> None:
    assert A.distance(A.measures) == 0.0
    assert A.distance(B.measures) == B.distance(A.measures) == pytest.approx(3.0)
    assert A.distance({"pixels": 2e6}) == A.distance({"other": 1.0, "scale": 1.0}) == math.inf


def test_nearest() -> None:
    assert nearest({"pixels": 1.5e6, "scale": 0.9}, (A, B)) == A
    assert nearest({"pixels": 9e6, "scale": 0.9}, (A, B)) == B
    assert nearest({"pixels": 2e6, "scale": 0.70710678}, (B, A)) in (A, B)
    assert nearest({"pixels": 1e6}, (A, B)) is None and nearest({}, ()) is None
    assert nearest({}, (Bucket("any"),)) == Bucket("any")
