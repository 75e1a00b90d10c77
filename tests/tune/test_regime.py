"""What happens between runs."""

from __future__ import annotations

import numpy as np
import pytest

from autosched.tune import regime
from autosched.tune.regime import between, new_output


def test_pages_are_new_only_where_they_shall_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that were given back read as zeros."""
    monkeypatch.setattr(regime, "_LEAST", 1 << 20)
    monkeypatch.setattr(regime, "_MOST", 1 << 20)
    for name, expected in (("warm", 7), ("cold-source", 7), ("fresh-output", 0)):
        out = new_output((300, 41), np.dtype(np.int16))
        assert out.shape == (300, 41) and out.dtype == np.int16 and not out.any()
        out[...] = 7
        between(name, [out, np.empty(3)])()  # type: ignore[arg-type]
        assert (out == expected).all(), name


def test_the_sweep_is_larger_than_the_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    swept = []
    monkeypatch.setattr(regime.np, "add", lambda a, one, out: swept.append(a.nbytes))
    between("cold-source", [])()
    assert swept and swept[0] >= min(2 * regime.fingerprint().l3, 256 << 20) and swept[0] >= 32 << 20


def test_nothing_to_write() -> None:
    assert new_output((0, 4), np.dtype(np.float32)).shape == (0, 4)
