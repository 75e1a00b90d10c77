"""The incumbent: the fastest candidate that a search has found so far."""

from __future__ import annotations

from dataclasses import dataclass

from autosched.tune.bench import Ready


@dataclass(frozen=True)
class Incumbent:
    """A candidate, its time over the default's, its label, and the seconds of one run. They are replaced together."""

    ready: Ready
    ratio: float
    label: str
    seconds: float

    @property
    def speedup(self) -> float:
        """Times as fast as the default."""
        return 1.0 / self.ratio
