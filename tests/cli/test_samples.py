"""Images of the user's become workloads, or are named where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from autosched.cli.samples import choose, sample, space_of
from autosched.errors import ArgumentError
from autosched.vlm.registry import get


def test_an_image_that_no_size_is_legal_for(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "0.png")
    Image.new("RGB", (4000, 2)).save(tmp_path / "thin.png")
    family = get("qwen2.5-vl")
    (spec,) = choose(space_of(family), [], tmp_path)
    with pytest.raises(ArgumentError, match=r"thin\.png cannot be used: absolute aspect ratio.*; take it away"):
        sample(family, spec, tmp_path)
