"""A cell of a study: one workload on a number of threads, and the rows that measuring it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from typing import Final

import numpy as np
from PIL import Image

from experiments import memory
from experiments.environment import environment, load
from experiments.exactness import InexactError, difference, output_bytes
from experiments.floor import Stores, touch
from experiments.implementation import Implementation, NotAvailableError, Run
from experiments.intervals import Interval, median, ratio_of_medians
from experiments.results import UNITS, Measure, Row
from experiments.timing import Job, Rounds, interleave
from experiments.torch_threads import limit_torch
from experiments.workloads import Workload

FLOORS: Final[dict[str, Stores]] = {"floor": "ordinary", "floor-nontemporal": "non-temporal"}
_AGAIN: Final = "again"
_MEGABYTE: Final = 1e6
_PILLOW_PIXEL_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Conditions:
    """How often and how quietly something was measured; see `Row`."""

    repeats: int
    noise: float
    load: float


@dataclass(frozen=True)
class Cell:
    """One workload on a number of threads.

    Attributes:
        workload, threads: what is measured.
        implementations: all that are known, by name.
        baselines: those that run in every round; the first also runs twice, to see the noise.
        skipped: why implementations were left out, by name; filled while measuring.
    """

    workload: Workload
    threads: int
    implementations: Mapping[str, Implementation]
    baselines: Sequence[str]
    skipped: dict[str, str] = field(default_factory=dict)

    @cached_property
    def images(self) -> list[Image.Image]:
        """The decoded images."""
        return self.workload.images()

    @cached_property
    def kernels(self) -> dict[str, str]:
        """The name of the compiled kernels of each implementation."""
        known = self.implementations.values()
        return {each.name: each.kernels(self.workload, self.images, self.threads) for each in known}

    def place(self, name: str) -> tuple[str, int, str]:
        """What a row of an implementation in this cell begins with."""
        return self.workload.name, self.threads, name

    def wanted(self, names: Iterable[str]) -> list[str]:
        """`names` without those that would run the same kernels as another."""
        wanted = []
        for name in names:
            other = self.implementations[name].redundant_with
            if other and self.kernels[other] == self.kernels[name]:
                self.skipped[name] = f"the same kernels as {other}"
            else:
                wanted.append(name)
        return wanted

    def runtime(self, names: Sequence[str], rounds: Rounds, on_round: Callable[[int], None]) -> list[Row]:
        """Times implementations beside the baselines and the floors, in the same rounds, after checking their bits.

        Raises:
            InexactError: one that must be exact is not.
        """
        limit_torch(self.threads)
        runs = self._runs(dict.fromkeys([*self.baselines, *names]))
        problems, out_bytes = self._differences(runs)
        jobs: dict[str, Job] = {name: partial(run, self.images) for name, run in runs.items()}
        first = next(iter(jobs))
        jobs[f"{first} {_AGAIN}"] = jobs[first]
        source = np.zeros(sum(w * h for w, h in self.workload.sizes) * _PILLOW_PIXEL_BYTES, np.uint8)
        jobs |= {name: partial(touch, source, out_bytes, stores, self.threads) for name, stores in FLOORS.items()}
        for job in jobs.values():
            job()
        before = load()
        times = interleave(jobs, rounds, on_round)
        again = ratio_of_medians(times[f"{first} {_AGAIN}"], times[first])
        conditions = Conditions(len(times[first]), max(again.high - 1, 1 - again.low), before)
        return [
            self._row(name, measure, against, interval, conditions, problems.get(name, ""))
            for name in [*(n for n in names if n in runs), *FLOORS]
            for measure, against, interval in self._numbers(name, times, again)
        ]

    def memory(self, name: str) -> list[Row]:
        """The peak of an implementation in a clean process; no rows where it cannot be measured."""
        conditions = Conditions(repeats=1, noise=0.0, load=load())
        try:
            peak = memory.measure(self.workload.name, name, self.threads)
        except NotAvailableError as reason:
            self.skipped[name] = str(reason)
            return []
        numbers: dict[Measure, float] = {"peak memory": peak.ratio, "extra memory": peak.extra / _MEGABYTE}
        return [
            self._row(name, measure, "", Interval(value, value, value), conditions)
            for measure, value in numbers.items()
        ]

    def _runs(self, names: Iterable[str]) -> dict[str, Run]:
        runs: dict[str, Run] = {}
        for name in names:
            try:
                runs[name] = self.implementations[name].make(self.workload, self.threads)
            except NotAvailableError as reason:
                self.skipped[name] = str(reason)
        if not runs:
            raise NotAvailableError("; ".join(self.skipped.values()))
        return runs

    def _differences(self, runs: Mapping[str, Run]) -> tuple[dict[str, str], int]:
        """How outputs differ from their oracles', by name, and the bytes of an output."""
        found: dict[str, str] = {}
        size = 0
        for oracle in dict.fromkeys(self.implementations[name].oracle for name in runs):
            expected = self._run_of(oracle, runs)(self.images)
            size = output_bytes(expected)
            for name, run in runs.items():
                if name == oracle or self.implementations[name].oracle != oracle:
                    continue
                problem = difference(run(self.images), expected)
                if problem and self.implementations[name].exact:
                    where = f"{self.workload.title}, {self.threads} threads"
                    raise InexactError(f"{name} on {where} is not {oracle} bit for bit: {problem}")
                if problem:
                    found[name] = problem
        return found, size

    def _run_of(self, name: str, runs: Mapping[str, Run]) -> Run:
        return runs.get(name) or self.implementations[name].make(self.workload, self.threads)

    def _numbers(
        self, name: str, times: Mapping[str, list[float]], again: Interval
    ) -> Iterable[tuple[Measure, str, Interval]]:
        milliseconds = [1000 * seconds for seconds in times[name]]
        yield "time", "", median(milliseconds)
        if name in FLOORS:
            return
        for baseline in self.baselines:
            if baseline == name == self.baselines[0]:
                yield "speedup", baseline, again
            elif baseline in times and baseline != name:
                yield "speedup", baseline, ratio_of_medians(times[baseline], times[name])
        for floor in FLOORS:
            yield "times floor", floor, ratio_of_medians(times[name], times[floor])

    def _row(
        self,
        name: str,
        measure: Measure,
        against: str,
        interval: Interval,
        conditions: Conditions,
        problem: str = "",
    ) -> Row:
        known = self.implementations.get(name)
        kernels = self.kernels.get(name, "")
        same = [other for other, theirs in self.kernels.items() if theirs == kernels != "" and other != name]
        notes = [known.note() if known else "", problem, f"same kernels as {', '.join(same)}" if same else ""]
        return Row(
            workload=self.workload.name,
            threads=self.threads,
            implementation=name,
            measure=measure,
            against=against,
            value=interval.value,
            low=interval.low,
            high=interval.high,
            unit=UNITS[measure],
            exact=not problem,
            note="; ".join(filter(None, notes)),
            kernels=kernels,
            **asdict(conditions),
            **asdict(environment()),
        )
