"""The final: the best few against the default, in rounds, so that the winner is not a lucky sample.

Every round times every contender once, in an order that changes; what is compared are times of one round. The default
runs twice in each, and what it differs from itself by is the noise below which no difference means anything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autosched.errors import TuneError
from autosched.schedule import Schedule
from autosched.tune.bench import Bench, Ready
from autosched.tune.candidate import CandidateError
from autosched.tune.measure import Estimate, estimate, paired
from autosched.tune.pareto import front
from autosched.tune.rounds import play_rounds

#: How much slower than the fastest a simpler schedule may seem that wins in its place.
TIE = 0.01
#: Bytes for intermediate images that any schedule may take: caches hold them.
FREE_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class Contender:
    """A candidate and its label."""

    label: str
    ready: Ready

    @property
    def schedule(self) -> Schedule:
        return self.ready.schedule


@dataclass(frozen=True)
class Standing:
    """A contender's result: seconds of a run, how many times faster than the default it is, and the bytes it needs."""

    label: str
    schedule: Schedule
    seconds: Estimate
    speedup: Estimate
    memory: int = 0


@dataclass(frozen=True)
class Final:
    """All standings, the winner first; `noise` is the default's distance from itself, as a fraction."""

    standings: tuple[Standing, ...]
    noise: float
    rounds: int
    tied: int

    @property
    def winner(self) -> Standing:
        return self.standings[0]

    @property
    def default(self) -> Standing:
        return next(s for s in self.standings if s.label == "default")

    @property
    def trade_offs(self) -> list[Standing]:
        """Those that no other beats in time and in memory, the fastest first."""
        return front(self.standings, lambda s: (1 / s.speedup.median, s.memory))


def complexity(schedule: Schedule) -> int:
    """The number of directives: of schedules that are equally fast the one with the fewest is kept."""
    return sum(len(items) for items in schedule.funcs.values())


def takes_more(memory: int, than: int) -> bool:
    """Whether so many bytes are so many more that fewer directives, or a tie, do not pay for them."""
    return memory > max(2 * than, FREE_BYTES)


def play(
    bench: Bench,
    default: Contender,
    others: Sequence[Contender],
    *,
    seconds: float,
    progress: Callable[[int], None] = lambda _: None,
) -> Final:
    """Play rounds until `seconds` are over, and rank the contenders.

    The winner is the simplest of those that cannot be told from the fastest: within the noise, or with an interval that
    includes equality. All but the default must also seem at most `TIE` slower: noise speaks for what is known, and not
    for what is simple. None of those wins that `takes_more` memory than another. Contenders that fail have no standing.
    """
    ready = [contender.ready for contender in others]
    try:
        played = play_rounds(bench, default.ready, ready, seconds=seconds, twice=True, progress=progress)
    except CandidateError as error:
        raise TuneError(f"the default schedule fails in the final ({error.kind}): {error}") from None
    entered = [default, *(others[i] for i in played.others)]
    return rank(entered, [played.base, *played.others.values()], played.again)


def rank(entered: Sequence[Contender], times: Sequence[Sequence[float]], again: Sequence[float]) -> Final:
    """The standings from the times of all rounds. The default is entered first; `again` are its second times."""
    noise = paired(again, times[0]).noise
    standings = [
        Standing(c.label, c.schedule, estimate(t), paired(times[0], t), c.ready.memory)
        for c, t in zip(entered, times, strict=True)
    ]
    fastest = max(range(len(entered)), key=lambda i: standings[i].speedup.median)
    tied = []
    for i in range(len(entered)):
        behind = paired(times[i], times[fastest])
        equal = behind.low <= 1.0 or behind.median <= 1.0 + noise
        if i == fastest or (equal and (i == 0 or behind.median <= 1.0 + TIE)):
            tied.append(i)
    least = min(entered[i].ready.memory for i in tied)
    frugal = [i for i in tied if not takes_more(entered[i].ready.memory, least)]
    winner = min(frugal, key=lambda i: (complexity(entered[i].schedule), -standings[i].speedup.median))
    order = sorted(range(len(entered)), key=lambda i: (i != winner, -standings[i].speedup.median))
    return Final(tuple(standings[i] for i in order), noise, len(again), len(tied))
