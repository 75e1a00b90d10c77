"""From an image to the first token: what share preparing the image has, here and on accelerators, and in a stream.

What is measured and what is modelled are different cases. Preparation is measured in all of them. The model is measured
in the cases without a name and called `stream`, on the device that torch finds; in those called `modelled` it is
arithmetic on published figures (`endtoend.accelerators`), and in those called `modelled stream` a wait of that time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, TypeAlias

from experiments.endtoend import measure
from experiments.endtoend.accelerators import ACCELERATORS, USUAL, UTILISATIONS, Accelerator
from experiments.endtoend.measure import LANGUAGE, PREPARERS, VISION, Lane
from experiments.endtoend.models import LLAVA_NEXT, MODELS, QWEN2_VL, SMOLVLM, Features, Vlm
from experiments.endtoend.running import start
from experiments.endtoend.stream import Served, throughput
from experiments.experiment import EXPERIMENTS, Case, Effort, Experiment, Number, Selection
from experiments.intervals import Interval, median
from experiments.timing import Rounds
from experiments.workloads import SERVED_PIXELS, WORKLOADS

#: The subject of rows about the model.
MODEL: Final = "model"
STREAM: Final = "stream"
MODELLED: Final = "modelled"
WAITED: Final = "modelled stream"

IN_TURNS: Final = "in turns"
OVERLAPPED: Final = "overlapped"

#: What a waiting stream waits for.
STREAMED_ON: Final = "H100"

_SERVED: Final = f"1920x1080-max{SERVED_PIXELS}"
#: Where the whole model runs; Qwen2-VL's attention over a whole 1080p photograph takes minutes on a CPU.
_MEASURED: Final[Mapping[str, Sequence[str]]] = {
    SMOLVLM.name: ("1920x1080", "w1"),
    LLAVA_NEXT.name: ("1920x1080", "w1"),
    QWEN2_VL.name: (_SERVED, "w1"),
}
_MODELLED: Final[Mapping[str, Sequence[str]]] = {**_MEASURED, QWEN2_VL.name: ("1920x1080", _SERVED, "w1")}
#: Where a stream goes through the model: the smallest model, because a stream is many runs.
_STREAMED: Final = (SMOLVLM.name, "1920x1080")
_STREAMERS: Final = ("hf-torchvision", "autosched")

_REQUESTS: Final = 3
_WAITING_REQUESTS: Final = 12
_LEAST: Final = 2
_MOST: Final = 7
_PREPARATIONS: Final = Rounds(least=15, most=40, seconds=4.0)
_ONCE: Final = Rounds(least=1, most=1, seconds=0.0)

_Measure: TypeAlias = Callable[[Vlm, str, int, Effort], Iterator[Number]]


def cases(selection: Selection) -> Iterator[Case]:
    """For each model, image and number of threads: modelled, measured, and a stream."""
    for vlm in MODELS.values():
        if not selection.families or vlm.name in selection.families:
            for workload in selection.chosen(_MODELLED[vlm.name], selection.workloads):
                for threads in selection.threads:
                    yield from _cases(vlm, workload, threads)


def _cases(vlm: Vlm, workload: str, threads: int) -> Iterator[Case]:
    def case(measured: _Measure, subjects: Sequence[str], seconds: float, name: str) -> Case:
        return Case(vlm.name, workload, threads, (*subjects,), partial(measured, vlm, workload, threads), seconds, name)

    yield case(_modelled, (*PREPARERS, MODEL), 20.0, MODELLED)
    if workload in _MEASURED[vlm.name]:
        yield case(_measured, (*PREPARERS, MODEL), 60.0, "")
    yield case(_waited, (*PREPARERS, MODEL), 10.0, WAITED)
    if (vlm.name, workload) == _STREAMED and (threads > 1 or measure.device() != "cpu"):
        yield case(_streamed, _STREAMERS, 60.0, STREAM)


def share(preparation: Interval, model: Interval) -> Interval:
    """The percentage that preparation has of both; the ends assume that the errors of both point the same way."""

    def of(part: float, rest: float) -> float:
        return 100 * part / (part + rest)

    return Interval(
        of(preparation.value, model.value), of(preparation.low, model.high), of(preparation.high, model.low)
    )


def _measured(vlm: Vlm, workload: str, threads: int, effort: Effort) -> Iterator[Number]:
    chosen = WORKLOADS[workload]
    needed, _ = measure.work_of(vlm, chosen)
    whole = effort.quick or measure.fits(needed)
    effort.say("building the model")
    running = start(vlm, measure.device(), whole, layers=1 if effort.quick else None)
    rounds = _ONCE if effort.quick else Rounds(_LEAST, _MOST, effort.seconds)
    effort.say("rounds")
    times = measure.parts(running, chosen, threads, rounds)
    notes = [_model_note(), _clock_note(threads)]
    if not whole:
        gigabytes = needed.language_bytes / 1e9
        notes.append(f"vision tower only: the language model's {gigabytes:.0f} GB do not leave room")
    note = "; ".join(notes)
    steps = {name: median(_milliseconds(times[name])) for name in (VISION, LANGUAGE) if name in times}
    model = _sum(steps.values())
    for name, step in steps.items():
        yield Number(MODEL, "time", step, "ms", part=name, repeats=len(times[name]), note=note)
    for name in PREPARERS:
        preparation = median(_milliseconds(times[name]))
        repeats = len(times[name])
        yield Number(name, "preparation", preparation, "ms", repeats=repeats, note=_clock_note(threads))
        yield Number(name, "share", share(preparation, model), "%", repeats=repeats, note=note)
        if whole:
            yield Number(name, "first token", _sum([preparation, model]), "ms", repeats=repeats, note=note)


def _streamed(vlm: Vlm, workload: str, threads: int, effort: Effort) -> Iterator[Number]:
    """On a CPU its threads are shared: all for each side in turns, or half of them for each at the same time."""
    running = start(vlm, measure.device(), layers=1 if effort.quick else None)
    each = threads if measure.device() != "cpu" else threads // 2
    lanes = (Lane(IN_TURNS, False, threads), Lane(OVERLAPPED, True, each))
    effort.say("streams")
    answer = measure.answering(running)
    found = measure.streams(vlm, WORKLOADS[workload], answer, lanes, _STREAMERS, _REQUESTS, _ONCE)
    yield from _of_streams(found, f"{_model_note()}; {_REQUESTS} requests")


def _modelled(vlm: Vlm, workload: str, threads: int, effort: Effort) -> Iterator[Number]:
    chosen = WORKLOADS[workload]
    effort.say("preparations")
    rounds = _ONCE if effort.quick else _PREPARATIONS
    measured = measure.preparations(vlm, chosen, threads, rounds)
    times = {name: _milliseconds(seconds) for name, seconds in measured.items()}
    needed, pixel_bytes = measure.work_of(vlm, chosen)
    for name, taken in times.items():
        yield Number(
            name, "preparation", median(taken), "ms", repeats=len(taken), note=f"measured, {_clock_note(threads)}"
        )
    for accelerator in ACCELERATORS.values():
        for utilisation in UTILISATIONS:
            milliseconds = 1000 * accelerator.seconds(needed, pixel_bytes, utilisation)
            model = Interval(milliseconds, milliseconds, milliseconds)
            where = {"part": accelerator.name, "against": at(utilisation), "note": _note(accelerator)}
            yield Number(MODEL, "time", model, "ms", **where)
            for name, taken in times.items():
                preparation = median(taken)
                yield Number(name, "share", share(preparation, model), "%", repeats=len(taken), **where)
                yield Number(name, "first token", _sum([preparation, model]), "ms", repeats=len(taken), **where)


def _waited(vlm: Vlm, workload: str, threads: int, effort: Effort) -> Iterator[Number]:
    chosen = WORKLOADS[workload]
    needed, pixel_bytes = measure.work_of(vlm, chosen)
    device = ACCELERATORS[STREAMED_ON]
    wait = device.seconds(needed, pixel_bytes, USUAL)
    lanes = (Lane(IN_TURNS, False, threads), Lane(OVERLAPPED, True, threads))
    requests = 2 if effort.quick else _WAITING_REQUESTS
    rounds = _ONCE if effort.quick else Rounds(3, 5, effort.seconds)
    effort.say("streams")
    found = measure.streams(vlm, chosen, _waiting(wait), lanes, (*PREPARERS,), requests, rounds)
    note = f"{_note(device)}; a wait of {1000 * wait:.0f} ms stands for it; {requests} requests"
    yield Number(MODEL, "time", Interval(*[1000 * wait] * 3), "ms", part=STREAMED_ON, against=at(USUAL), note=note)
    yield from _of_streams(found, note, against=f"{STREAMED_ON} at {at(USUAL)}")


def _waiting(seconds: float) -> Callable[[Features], None]:
    def wait(features: Features) -> None:
        time.sleep(seconds)

    return wait


def _of_streams(
    found: Mapping[tuple[str, str], Sequence[Sequence[Served]]], note: str, against: str = ""
) -> Iterator[Number]:
    """Rates of the streams, and times from the begin of a request's preparation to its answer."""
    for (lane, name), served in found.items():
        rates = [throughput(one) for one in served]
        waits = _milliseconds([request.latency for one in served for request in one])
        common = {"part": lane, "against": against, "note": note}
        yield Number(name, "throughput", median(rates), "1/s", repeats=len(rates), **common)
        yield Number(name, "latency", median(waits), "ms", repeats=len(waits), **common)


def _model_note() -> str:
    return f"model on {measure.device_name()}, random weights, bf16"


def _clock_note(threads: int) -> str:
    return "CPU time" if measure.clock(threads) is time.process_time else "time of the clock"


def _note(accelerator: Accelerator) -> str:
    return f"modelled: {accelerator.source}"


def at(utilisation: float) -> str:
    """What a modelled number is `against`: a share of the peak."""
    return f"{utilisation:.0%} of peak"


def _milliseconds(seconds: Sequence[float]) -> list[float]:
    return [1000 * each for each in seconds]


def _sum(intervals: Iterable[Interval]) -> Interval:
    """The sum of times one after the other; the ends assume that all errors point the same way."""
    ends = [(each.value, each.low, each.high) for each in intervals]
    return Interval(*map(sum, zip(*ends, strict=True)))


EXPERIMENTS.add(
    Experiment(
        "endtoend",
        "From an image to the first token",
        "What share of the time to the first token does preparing the image have, and what does overlapping change?",
        cases,
        plots=("endtoend",),
    )
)
