"""Images of the user's become workloads, or are named where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from autosched.cli.image_folder import MOST_IMAGES, ImageFolder
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
    Image.new("RGB", (2, 4000)).save(tmp_path / "high.png")
    with pytest.raises(
        ArgumentError, match=r"high\.png cannot be used: .*thin\.png cannot be used: .*; take them away"
    ):
        sample(family, spec, tmp_path)


def test_all_images_that_cannot_be_decoded(tmp_path: Path) -> None:
    for name in ("a.png", "c.jpg"):
        (tmp_path / name).write_bytes(b"nothing")
    Image.new("RGB", (64, 48)).save(tmp_path / "b.png")
    with pytest.raises(
        ArgumentError, match=r"a\.png cannot be.*c\.jpg cannot be.*; repair them or take them away"
    ) as found:
        ImageFolder.read(tmp_path).load()
    assert "b.png" not in str(found.value)


def test_what_is_used_is_said(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "0.png")
    assert ImageFolder.read(tmp_path).summary == f"1 image of {tmp_path}"
    for i in range(7):
        (tmp_path / f"{i}.txt").write_text("")
    for i in range(1, MOST_IMAGES + 3):
        (tmp_path / f"{i}.png").write_bytes(b"")
    assert ImageFolder.read(tmp_path).summary == (
        f"64 images of {tmp_path}, the first of 67 by name; skipped, for they are no images: 0.txt, 1.txt, 2.txt, "
        "3.txt, 4.txt and 2 more"
    )


def test_directories_of_one_name_are_different_workloads(tmp_path: Path) -> None:
    made = [tmp_path / parent / "photos" for parent in "abc"]
    for folder, size in zip(made, (64, 64, 65), strict=True):
        folder.mkdir(parents=True)
        Image.new("RGB", (size, 48)).save(folder / "0.bmp")
    a, b, c = (ImageFolder.read(folder).label for folder in made)
    assert a == b != c, "a copy is the same workload"


def test_a_workload_beside_images_gives_its_settings(tmp_path: Path) -> None:
    file = space_of(get("qwen2.5-vl"))
    (spec,) = choose(file, ["1080p"], tmp_path)
    assert spec.settings == {"max_pixels": 1003520}
    for names in (["720p"], ["1080p", "4k"]):
        with pytest.raises(ArgumentError, match="are a workload of their own, and --workload"):
            choose(file, names, tmp_path)
