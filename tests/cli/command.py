"""What a command line gives back, and what tests of it need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from autosched.runtime.cpu import fingerprint

#: The kernel of `places`.
NAME = "blur-test"


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Command = Callable[..., Said]


def record_file(places: Path, out: str = "tuned") -> Path:
    """The file that `autosched tune` writes."""
    return places / out / fingerprint().cpu_class / "blur-test.json"


def png() -> bytes:
    """A small picture."""
    buffer = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()
