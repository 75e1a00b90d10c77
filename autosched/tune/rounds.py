"""Rounds of many candidates on a bench: those that fail drop out, and the others are timed anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autosched.tune.bench import Bench, Ready
from autosched.tune.candidate import CandidateError

#: Rounds without which there is no interval, and beyond which nothing is gained.
LEAST, MOST = 7, 101


@dataclass(frozen=True)
class Played:
    """Seconds of a run in every round: of the base, of its second runs where it ran twice, and of the others.

    Each of the others, by its place among them, is in `others` or in `failed`.
    """

    base: Sequence[float]
    again: Sequence[float]
    others: Mapping[int, Sequence[float]]
    failed: Mapping[int, CandidateError]


def play_rounds(
    bench: Bench,
    base: Ready,
    others: Sequence[Ready],
    *,
    seconds: float,
    twice: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Played:
    """Time the base and the others, each once a round, until `seconds` are over: `LEAST` to `MOST` rounds.

    With `twice` the base runs twice in each round, which tells the noise. Raises CandidateError where the base fails.
    """
    left = list(range(len(others)))
    failed: dict[int, CandidateError] = {}
    while True:
        entered = [base, *(others[i] for i in left), *[base] * twice]
        try:
            first, *rest = bench.rounds(entered, seconds=seconds, least=LEAST, most=MOST, progress=progress)
        except CandidateError as error:
            if not 0 < error.entered <= len(left):
                raise
            failed[left.pop(error.entered - 1)] = error
            continue
        again = rest.pop() if twice else ()
        return Played(first, again, dict(zip(left, rest, strict=True)), failed)
