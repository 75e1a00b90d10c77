"""Where the data that comes with the package is, search spaces and tuned schedules, and where users have their own."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent
#: The variable that names the directory of the user's own records.
VARIABLE = "AUTOSCHED_TUNED_DIR"


def checkout() -> Path | None:
    """The root of the checkout that the package runs from; None where it is installed."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() and (root / "search_spaces").is_dir() else None


def shipped(folder: Literal["search_spaces", "tuned"]) -> Path:
    """The folder of that name in the checkout, or as the wheel carries it. It need not exist."""
    root = checkout()
    return root / folder if root else _PACKAGE / "_data" / folder


def user_directory() -> Path:
    """Where `autosched tune` writes: AUTOSCHED_TUNED_DIR, tuned/ of a checkout, or the user's data directory."""
    import platformdirs

    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    return shipped("tuned") if checkout() else Path(platformdirs.user_data_dir("autosched")) / "tuned"


def tuned_directories() -> tuple[Path, ...]:
    """Where records are looked for, the user's own first."""
    return tuple(dict.fromkeys((user_directory(), shipped("tuned"))))


def file_stem(name: str) -> str:
    """A name as files can have it."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")


def file_name(pipeline: str) -> str:
    """The name of the file of a pipeline's records on one class of CPUs, in a folder of that class."""
    return file_stem(pipeline) + ".json"


def tuned_files(pipeline: str) -> bool:
    """Whether there is any file of a pipeline's records."""
    return any(any(directory.glob(f"*/{file_name(pipeline)}")) for directory in tuned_directories())
