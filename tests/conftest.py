"""Options and fixtures of all tests. No test writes records or studies to the checkout or the user's home."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the generated source in tests/golden anew")


def pytest_collection_finish() -> None:
    """What is imported by now stays: later collections need not look at millions of objects of torch and Numba."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _own_directories(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path_factory.getbasetemp() / "own"
    monkeypatch.setenv("AUTOSCHED_TUNED_DIR", str(root / "tuned"))
    monkeypatch.setenv("AUTOSCHED_STATE_DIR", str(root / "state"))


@pytest.fixture(scope="module")
def small_blocks() -> Iterator[None]:
    """The smallest blocks that Pillow makes: images of some rows then have several, as large ones always do."""
    from PIL import Image

    before = Image.core.get_block_size()
    Image.core.set_block_size(1 << 12)
    yield
    Image.core.set_block_size(before)
