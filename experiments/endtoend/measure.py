"""Times of the parts of a first token and of streams of requests, taken in turns.

On one thread of a CPU the parts are timed by what the CPU spent on them: that is the time where nothing else runs, and
other programs hardly change it. Everything else is timed by the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any, Final

import psutil
from PIL import Image

import autosched
from autosched.vlm.preparation import Reference
from experiments.endtoend.flops import Work, work
from experiments.endtoend.models import Features, Vlm
from experiments.endtoend.running import Running
from experiments.endtoend.stream import Consume, Served, in_turns, overlapped
from experiments.exactness import InexactError, difference
from experiments.implementation import NotAvailableError
from experiments.photographs import photograph
from experiments.timing import Job, Rounds, interleave
from experiments.torch_threads import limit_torch
from experiments.workloads import Workload

#: Who prepares images, and whose bits they make.
PREPARERS: Final[Mapping[str, Reference]] = {
    "hf-torchvision": "torchvision",
    "hf-pil": "pil",
    "autosched": "torchvision",
    "autosched-pil": "pil",
}
#: Parts of a first token.
VISION, LANGUAGE = "vision", "language"

_AGAIN: Final = 3
"""Preparations in the time of one run of the model: they are short and vary more."""

_PHOTOGRAPHS: Final = 4
_WARM_UP_DIVISOR: Final = 4

_ROOM: Final = 0.5
"""Share of a device's memory that weights may take."""


def device() -> str:
    """Where models run: a GPU where torch finds one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def device_name() -> str:
    """What models run on, as in notes and figures."""
    import torch

    return torch.cuda.get_device_name() if device() == "cuda" else "this CPU"


def fits(needed: Work) -> bool:
    """Whether the weights of a whole model leave half of the device's memory free."""
    import torch

    on_gpu = device() == "cuda"
    room = torch.cuda.get_device_properties(0).total_memory if on_gpu else psutil.virtual_memory().total
    return needed.vision_bytes + needed.language_bytes <= _ROOM * room


def preparers(vlm: Vlm, workload: Workload, threads: int) -> dict[str, Callable[[Image.Image], Features]]:
    """What makes features of one image on a number of threads, by name.

    Raises:
        InexactError: an accelerated processor does not make the bits of the one that it stands for.
        NotAvailableError: it does not run kernels.
    """
    made: dict[str, Callable[[Image.Image], Features]] = {}
    image = workload.images()[0]
    for name, reference in PREPARERS.items():
        processor = vlm.processor(workload, reference)
        if name.startswith("autosched"):
            processor = autosched.accelerate(processor, threads=threads)
        made[name] = partial(_prepare, processor)
        output = made[name](image)
        if not name.startswith("autosched"):
            continue
        if not (explanation := processor.autosched_explain()).accelerated:
            raise NotAvailableError(str(explanation))
        original = next(other for other, theirs in PREPARERS.items() if theirs == reference)
        if problem := difference(output, made[original](image)):
            raise InexactError(f"{name} of {vlm.title} on {workload.title} is not {original} bit for bit: {problem}")
    return made


def _prepare(processor: Any, image: Image.Image) -> Features:
    return dict(processor(image, return_tensors="pt"))


def clock(threads: int) -> Callable[[], float]:
    """What parts are timed by: see above."""
    return time.process_time if threads == 1 and device() == "cpu" else time.perf_counter


def preparations(
    vlm: Vlm, workload: Workload, threads: int, rounds: Rounds, again: int = 1, **others: Job
) -> dict[str, list[float]]:
    """Seconds of preparing the first image of a workload, by who prepares it.

    A round prepares it `again` times by each, and runs each of the `others` once, in a new order.
    """
    limit_torch(threads)
    image = workload.images()[0]
    taken: dict[str, list[float]] = {name: [] for name in PREPARERS}
    now = clock(threads)

    def timed(name: str, prepare: Callable[[Image.Image], Features]) -> object:
        begin = now()
        features = prepare(image)
        taken[name].append(now() - begin)
        return features

    jobs: dict[str, Job] = dict(others)
    for name, prepare in preparers(vlm, workload, threads).items():
        jobs |= {f"{name} {turn}": partial(timed, name, prepare) for turn in range(again)}
    interleave(jobs, rounds)
    return taken


def parts(running: Running, workload: Workload, threads: int, rounds: Rounds) -> dict[str, list[float]]:
    """Seconds of preparing the first image of a workload, by who prepares it, and of the steps of the model on it.

    A round runs the model once and each preparation three times, in a new order. On a GPU the first step has the copy
    of the pixels in it. The model has been through a smaller image before, where its processor makes one.
    """
    limit_torch(threads)
    small = workload.scaled_down(_WARM_UP_DIVISOR)
    answering(running)(_prepare(running.vlm.processor(small, "torchvision"), small.images()[0]))
    features = _prepare(running.vlm.processor(workload, "torchvision"), workload.images()[0])
    inputs = running.inputs(features)
    steps: dict[str, list[float]] = {VISION: [], **({LANGUAGE: []} if running.whole else {})}
    now = clock(threads)

    def model() -> None:
        begin = now()
        seen = running.vision(features, inputs)
        running.wait()
        looked = now()
        steps[VISION].append(looked - begin)
        if running.whole:
            running.language(seen, inputs)
            steps[LANGUAGE].append(now() - looked)

    return preparations(running.vlm, workload, threads, rounds, _AGAIN, model=model) | steps


def work_of(vlm: Vlm, workload: Workload) -> tuple[Work, int]:
    """What a model has to do for the first image of a workload, and the bytes of its pixels."""
    features = _prepare(vlm.processor(workload, "torchvision"), workload.images()[0])
    return work(vlm, vlm.configuration(), features), int(features[vlm.for_vision[0]].nbytes)


@dataclass(frozen=True)
class Lane:
    """How a stream is served: in turns, or overlapped; each side computes on `threads` threads."""

    name: str
    overlap: bool
    threads: int


def streams(
    vlm: Vlm,
    workload: Workload,
    consume: Consume,
    lanes: Sequence[Lane],
    names: Sequence[str],
    requests: int,
    rounds: Rounds,
) -> dict[tuple[str, str], list[list[Served]]]:
    """Streams of photographs of the size of a workload's first, by lane and preparer, in a new order in each round.

    One request goes through each before, so that everything is there.
    """
    width, height = workload.sizes[0]
    images = list(islice(cycle([photograph(index, width, height) for index in range(_PHOTOGRAPHS)]), requests))
    prepare = {lane: preparers(vlm, workload, lane.threads) for lane in lanes}
    consume(prepare[lanes[0]][names[0]](images[0]))

    def serve(lane: Lane, name: str) -> list[Served]:
        limit_torch(lane.threads)
        if lane.overlap:
            return overlapped(images, prepare[lane][name], consume, partial(limit_torch, lane.threads))
        return in_turns(images, prepare[lane][name], consume)

    found: dict[tuple[str, str], list[list[Served]]] = {(lane.name, name): [] for lane in lanes for name in names}

    def keep(lane: Lane, name: str) -> None:
        found[lane.name, name].append(serve(lane, name))

    interleave({f"{lane.name} {name}": partial(keep, lane, name) for lane in lanes for name in names}, rounds)
    return found


def answering(running: Running) -> Consume:
    """Consumes features by the model, up to the first token, or through the vision tower where that is all there is."""

    def answer(features: Features) -> object:
        inputs = running.inputs(features)
        seen = running.vision(features, inputs)
        if running.whole:
            return running.language(seen, inputs)
        running.wait()
        return None

    return answer
