"""What happened in a call of an accelerated processor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

Path: TypeAlias = Literal["kernels", "huggingface"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Which code computed the pixels of one call, and why.

    Attributes:
        path: ``kernels`` (autosched) or ``huggingface`` (the processor's own code, unchanged).
        reason: what ran, or what the kernels do not cover.
        images: how many images the kernels processed; 0 on the other path.
    """

    path: Path
    reason: str
    images: int = 0

    @property
    def accelerated(self) -> bool:
        """Whether autosched's kernels computed the pixels."""
        return self.path == "kernels"

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@lru_cache(maxsize=256)
def by_kernels(summary: str, reference: str, images: int) -> Explanation:
    """That of a call whose images the kernels of a family processed; every call has one, and few differ."""
    return Explanation("kernels", f"{summary}, {reference} reference", images)
