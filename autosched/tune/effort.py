"""How much a run takes: presets, and what each gives to its stages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """A preset. `seconds` is the whole run; shares are of it, the rest is the search.

    Attributes:
        polish: share of the search, at its end, in which points next to the best ones are tried.
        simplify: share in which directives are taken from the winner.
        final: share of the finals, before and after that.
        finalists: how many of the fastest play in the final.
        startup: points drawn by chance before the sampler learns.
    """

    name: str
    seconds: float
    finalists: int
    startup: int
    polish: float = 0.4
    simplify: float = 0.15
    final: float = 0.2

    def search(self, seconds: float) -> float:
        """Seconds of a run of `seconds` after which the search is over."""
        return seconds * (1 - self.simplify - self.final)


#: By name. `standard` tunes the usual three workloads of a kernel in less than ten minutes.
PRESETS: dict[str, Effort] = {
    e.name: e
    for e in (
        Effort("quick", 120.0, finalists=5, startup=10),
        Effort("standard", 540.0, finalists=8, startup=15),
        Effort("thorough", 3600.0, finalists=12, startup=30, polish=0.5),
    )
}
