"""Titles of the schedules of a final, for people."""

from __future__ import annotations

from collections.abc import Sequence

from autosched.tune.finals import Standing, complexity
from autosched.tune.study import SIMPLIFIED, Trial


def titles(standings: Sequence[Standing], trials: Sequence[Trial]) -> list[str]:
    """A title of each standing, no two of them alike.

    Of a schedule that was simplified it says of which of the `trials`, and without how many of its directives.
    """
    made: list[str] = []
    known = {trial.label: trial for trial in reversed(trials)}
    for standing in standings:
        title = base = standing.label
        while base.endswith(SIMPLIFIED):
            base = base.removesuffix(SIMPLIFIED)
        if base != title and base in known:
            gone = complexity(known[base].schedule) - complexity(standing.schedule)
            title = f"{base} without {gone} directive{'s' * (gone > 1)}"
        made.append(_another(title, made))
    return made


def _another(title: str, taken: Sequence[str]) -> str:
    """The title, with a number where it is taken."""
    found, number = title, 1
    while found in taken:
        number += 1
        found = f"{title} ({number})"
    return found
