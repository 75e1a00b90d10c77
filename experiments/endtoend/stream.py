"""A stream of requests: each image is prepared and then consumed, one after the other or overlapped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

Prepared = TypeVar("Prepared")

Prepare: TypeAlias = Callable[[Any], Any]
Consume: TypeAlias = Callable[[Any], object]


@dataclass(frozen=True)
class Served:
    """When, in seconds, the preparation of one request began and ended, and when it was answered."""

    begun: float
    prepared: float
    answered: float

    @property
    def latency(self) -> float:
        """From the begin of its preparation to the answer."""
        return self.answered - self.begun


def in_turns(requests: Sequence[Any], prepare: Prepare, consume: Consume) -> list[Served]:
    """Each request is prepared and consumed before the next one is begun."""
    served = []
    for request in requests:
        begun, ready, prepared = _timed(prepare, request)
        consume(prepared)
        served.append(Served(begun, ready, time.perf_counter()))
    return served


def overlapped(
    requests: Sequence[Any], prepare: Prepare, consume: Consume, begin: Callable[[], object] = lambda: None
) -> list[Served]:
    """The next request is prepared by a second thread of this process while one is consumed.

    Never more than one is prepared ahead, so memory stays bounded. `begin` runs in that thread before anything else.
    What `prepare` raises is raised here.
    """
    served: list[Served] = []
    with ThreadPoolExecutor(1, "prepare", begin) as helper:
        coming = helper.submit(_timed, prepare, requests[0]) if requests else None
        for following in [*requests[1:], None]:
            if coming is None:
                break
            begun, ready, prepared = coming.result()
            coming = None if following is None else helper.submit(_timed, prepare, following)
            consume(prepared)
            served.append(Served(begun, ready, time.perf_counter()))
    return served


def throughput(served: Sequence[Served]) -> float:
    """Requests a second, from the answer of the first to that of the last: how a long stream goes on.

    Raises:
        ValueError: there are fewer than two requests.
    """
    if len(served) < 2:
        raise ValueError(f"{len(served)} requests have no rate; serve two or more")
    return (len(served) - 1) / (served[-1].answered - served[0].answered)


def _timed(prepare: Callable[[Any], Prepared], request: Any) -> tuple[float, float, Prepared]:
    begun = time.perf_counter()
    prepared = prepare(request)
    return begun, time.perf_counter(), prepared
