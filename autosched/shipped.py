"""Where the data that comes with the package is: search spaces and tuned schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def checkout() -> Path | None:
    """The root of the checkout that the package runs from; None where it is installed."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "search_spaces").is_dir() else None


def shipped(folder: Literal["search_spaces", "tuned"]) -> Path:
    """The folder of that name in the checkout, or as the wheel carries it. It need not exist."""
    root = checkout()
    return root / folder if root else _PACKAGE / "_data" / folder
