"""A cell: one workload of a family on a number of threads, and the numbers that timing implementations there gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Final

import numpy as np
from PIL import Image

from experiments.exactness import InexactError, difference, output_bytes
from experiments.experiment import Effort, Number
from experiments.family import Family
from experiments.floor import Stores, output, touch
from experiments.implementation import IMPLEMENTATIONS, Implementation, NotAvailableError, Run
from experiments.intervals import Interval, median, ratio_of_medians
from experiments.runner import left_out
from experiments.timing import Job, Rounds, interleave
from experiments.torch_threads import limit_torch
from experiments.workloads import Workload

FLOORS: Final[dict[str, Stores]] = {"floor": "ordinary", "floor-nontemporal": "non-temporal"}
_AGAIN: Final = "again"
_PILLOW_PIXEL_BYTES: Final = 4
_LONG_PIXELS: Final = 2e7


@dataclass(frozen=True)
class Cell:
    """One workload of a family on a number of threads.

    Attributes:
        family, workload, threads: what is measured.
        known: the implementations by name.
        skipped: why implementations were left out, by name; filled while measuring.
    """

    family: Family
    workload: Workload
    threads: int
    known: Mapping[str, Implementation] = field(default_factory=lambda: IMPLEMENTATIONS)
    skipped: dict[str, str] = field(default_factory=dict)

    @cached_property
    def images(self) -> list[Image.Image]:
        """The decoded images."""
        return self.workload.images()

    def runtime(self, names: Sequence[str], effort: Effort) -> list[Number]:
        """Times implementations beside the family's baselines and the floors, in the same rounds, after checking their
        bits. The first baseline also runs twice, to see the noise.

        Raises:
            InexactError: one that must be exact is not.
            NotAvailableError: there is nothing to time.
        """
        limit_torch(self.threads)
        effort.say("preparing")
        runs = self._runs(dict.fromkeys([*self.family.baselines, *names]))
        kernels = self._kernels(runs)
        problems, out_bytes = self._differences(runs)
        jobs: dict[str, Job] = {name: partial(run, self.images) for name, run in runs.items()}
        first = next(iter(jobs))
        jobs[f"{first} {_AGAIN}"] = jobs[first]
        # Written once: zeros that nobody wrote have no pages of their own, and cost nothing to read.
        source = np.ones(sum(w * h for w, h in self.workload.sizes) * _PILLOW_PIXEL_BYTES, np.uint8)
        out = output(out_bytes)
        jobs |= {name: partial(touch, source, out, stores, self.threads) for name, stores in FLOORS.items()}
        for name, job in jobs.items():
            if name in FLOORS or not self._is_long:  # the others have run to be compared
                job()
        times = interleave(jobs, self._rounds(effort.rounds), lambda n: effort.say(f"round {n}"))
        again = ratio_of_medians(times[f"{first} {_AGAIN}"], times[first])
        noise = max(again.high - 1, 1 - again.low)
        numbers = []
        for name in [*runs, *FLOORS]:
            known = self.known.get(name)
            note = "; ".join(filter(None, [known.note() if known else "", problems.get(name, "")]))
            for measure, against, interval, unit in self._numbers(name, times, again):
                numbers.append(
                    Number(
                        name,
                        measure,
                        interval,
                        unit,
                        against=against,
                        repeats=len(times[name]),
                        exact=name not in problems,
                        note=note,
                        kernels=kernels.get(name, ""),
                        noise=noise,
                    )
                )
        return [*numbers, *(left_out(name, reason) for name, reason in self.skipped.items() if name in names)]

    @cached_property
    def _is_long(self) -> bool:
        """Whether a call takes seconds in some implementations."""
        return sum(width * height for width, height in self.workload.sizes) >= _LONG_PIXELS

    def _rounds(self, rounds: Rounds) -> Rounds:
        """Long calls get fewer rounds at least: what one round takes is known to be about the same."""
        return Rounds(3, rounds.most, rounds.seconds) if self._is_long else rounds

    def _runs(self, names: Iterable[str]) -> dict[str, Run]:
        runs: dict[str, Run] = {}
        for name in names:
            try:
                runs[name] = self.known[name].make(self.family, self.workload, self.threads)
            except NotAvailableError as reason:
                self.skipped[name] = str(reason)
        if not runs:
            raise NotAvailableError("; ".join(self.skipped.values()))
        return runs

    def _kernels(self, runs: dict[str, Run]) -> dict[str, str]:
        """The schedules of each; takes away from `runs` what would run those of another."""
        found: dict[str, str] = {}
        for name in list(runs):
            try:
                found[name] = self.known[name].kernels(self.family, self.workload, self.images, self.threads)
            except NotAvailableError as reason:
                self.skipped[name] = str(reason)
                del runs[name]
        for name in list(runs):
            other = self.known[name].redundant_with
            if other in runs and found[other] == found[name] != "":
                self.skipped[name] = f"the same kernels as {other}"
                del runs[name]
        return found

    def _differences(self, runs: dict[str, Run]) -> tuple[dict[str, str], int]:
        """How outputs differ from their oracles', by name, and the bytes of an output.

        Takes away from `runs` what fails and promises nothing.
        """
        found: dict[str, str] = {}
        size = 0
        for oracle in dict.fromkeys(self.known[name].oracle for name in runs):
            run = runs.get(oracle) or self.known[oracle].make(self.family, self.workload, self.threads)
            expected = run(self.images)
            size = output_bytes(expected)
            for name in [n for n in runs if n != oracle and self.known[n].oracle == oracle]:
                try:
                    problem = difference(runs[name](self.images), expected)
                except Exception as error:
                    if self.known[name].exact:
                        raise
                    self.skipped[name] = f"{type(error).__name__}: {error}"  # another library's
                    del runs[name]
                    continue
                if problem and self.known[name].exact:
                    where = f"{self.family.title}, {self.workload.title}, {self.threads} threads"
                    raise InexactError(f"{name} on {where} is not {oracle} bit for bit: {problem}")
                if problem:
                    found[name] = problem
        return found, size

    def _numbers(
        self, name: str, times: Mapping[str, list[float]], again: Interval
    ) -> Iterable[tuple[str, str, Interval, str]]:
        """Measure, what a ratio is taken to, the number, and its unit."""
        yield "time", "", median([1000 * seconds for seconds in times[name]]), "ms"
        if name in FLOORS:
            return
        for baseline in self.family.baselines:
            if baseline == name == self.family.baselines[0]:
                yield "speedup", baseline, again, "x"
            elif baseline in times and baseline != name:
                yield "speedup", baseline, ratio_of_medians(times[baseline], times[name]), "x"
        for floor in FLOORS:
            yield "times floor", floor, ratio_of_medians(times[name], times[floor]), "x"
