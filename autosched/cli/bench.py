"""`autosched bench NAME`: time a kernel's schedules and its peers against each other, interleaved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autosched.cli.console import err, out, table
from autosched.cli.emit import emit, interval
from autosched.cli.options import Images, Json, Name, Threads, duration, thread_count

if TYPE_CHECKING:
    from autosched.cli.samples import Sampled
    from autosched.lang import Type
    from autosched.tune.measure import Run
    from autosched.vlm.load import Tuned
    from autosched.vlm.registry import KernelFamily


def bench(
    name: Name,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            "--workload",
            "-w",
            help="Time this workload; may be repeated. [default: the usual ones]",
            show_default=False,
        ),
    ] = None,
    images: Images = None,
    threads: Threads = None,
    time_budget: Annotated[str, typer.Option("--time-budget", help="How long to time each workload.")] = "5s",
    json: Json = False,
) -> None:
    """Time a kernel's schedules and other implementations, interleaved in one process.

    Kernels are timed from arrays to an output that is used again and again; processors from Pillow's images to what
    their users get, new each time.
    """  # fmt: skip
    from autosched.cli.samples import choose, sample, space_of
    from autosched.vlm.registry import get

    seconds = duration(time_budget, "--time-budget")
    count = thread_count(threads)
    family = get(name)
    specs = choose(space_of(family), workload or [], images)
    timed = [_time(family, sample(family, spec, images), count, seconds) for spec in specs]
    if json:
        emit("bench", kernel=family.name, threads=count, workloads=timed)


@dataclass
class _Group:
    """Runs that are compared with one of them, and why others are missing. Each has run once."""

    baseline: str
    runs: dict[str, Run] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def add(self, label: str, make: Callable[[], Run]) -> None:
        """Add what `make` gives, or the reason why it cannot."""
        try:
            run = make()
            run()
        except ImportError as error:
            self.missing[label] = f"{error.name or error} is not installed"
        else:
            self.runs[label] = run


def _time(family: KernelFamily, sampled: Sampled, threads: int, seconds: float) -> dict[str, Any]:
    """Show how long they take on a workload. Returns it as data."""
    from autosched.tune.measure import rounds, settle
    from autosched.vlm.load import load

    title = f"{family.name}, {sampled.workload.name}, bucket {sampled.bucket.name}"
    with err().status(f"{title}: preparing"):
        tuned = load(family.name, bucket=sampled.bucket.name, threads=threads)
        groups = [_kernels(tuned, sampled), *_processors(family, sampled, threads)]
    runs = [run for group in groups for run in group.runs.values()]
    with err().status(f"{title}: timing"):
        times = rounds(runs, seconds=seconds, least=5, most=201, between=settle)
    console = out()
    plural = "s" if threads > 1 else ""
    console.print(f"{title}, {threads} thread{plural}, {len(times[0])} rounds; schedule here: {tuned.answer.rung}")
    data: dict[str, Any] = {
        "workload": sampled.workload.name,
        "bucket": sampled.bucket.name,
        "rounds": len(times[0]),
        "answered_by": tuned.answer.rung,
        "groups": [],
    }
    for group in groups:
        mine, times = times[: len(group.runs)], times[len(group.runs) :]
        console.print(_rows(group, mine, sampled.workload.items))
        data["groups"].append(_data(group, mine, sampled.workload.items))
    return data


def _data(group: _Group, times: list[list[float]], items: int) -> dict[str, Any]:
    """Milliseconds per item of each, and how many times as fast as the baseline it is, None where that is missing."""
    from autosched.tune.measure import estimate

    base = times[list(group.runs).index(group.baseline)] if group.baseline in group.runs else None
    rows = []
    for label, took in zip(group.runs, times, strict=True):
        ratio = None if base is None else estimate([b / t for b, t in zip(base, took, strict=True)])
        ms = interval(estimate(took).scaled(1e3 / items))
        rows.append({"name": label, "ms": ms, "times_as_fast": None if ratio is None else interval(ratio)})
    return {"baseline": group.baseline, "rows": rows, "missing": dict(group.missing)}


def _rows(group: _Group, times: list[list[float]], items: int) -> Any:
    from autosched.tune.measure import estimate, paired

    rows = table("", "ms per item", f"times as fast as {group.baseline}", numbers=2)
    base = times[list(group.runs).index(group.baseline)] if group.baseline in group.runs else None
    for label, took in zip(group.runs, times, strict=True):
        ratio = "-"
        if base is not None:
            r = paired(base, took)
            ratio = f"{r.median:.2f} [{r.low:.2f}, {r.high:.2f}]"
        rows.add_row(label, f"{estimate(took).scaled(1e3 / items).median:.4g}", ratio)
    for label, why in group.missing.items():
        rows.add_row(label, "-", why)
    return rows


def _kernels(tuned: Tuned, sampled: Sampled) -> _Group:
    """The family's schedules, the tuned one, and the family's peers."""
    from autosched.errors import TuneError
    from autosched.tune.candidate import CandidateError, Preparer

    family = tuned.family
    preparer = Preparer(tuned.pipeline, sampled.workload, tuned.threads)
    schedules = {label: make(sampled.bucket) for label, make in family.schedules.items()}
    if tuned.answer.schedule is not None:
        schedules["tuned"] = tuned.answer.schedule
    group = _Group("default")
    for label, schedule in schedules.items():
        try:
            group.runs[label] = preparer.prepare(schedule).run
        except CandidateError as error:
            if label == "default":
                raise TuneError(f"the default schedule of {family.name} cannot run ({error.kind}): {error}") from None
            group.missing[label] = f"{error.kind}: {error}"
    for label, peer in family.peers.items():
        group.add(label, lambda peer=peer: peer(sampled.images, sampled.settings))  # type: ignore[misc]
    return group


def _processors(family: KernelFamily, sampled: Sampled, threads: int) -> list[_Group]:
    """Each of Hugging Face's processors against its drop-in, on the same number of threads."""
    groups: list[_Group] = []
    for backend, make in family.processors.items():
        group = _Group(f"transformers, {backend}")
        for label, accelerated in ((group.baseline, False), (f"accelerated, {backend}", True)):
            group.add(label, partial(_call, make, sampled, threads, family.dtype, accelerated))
        groups.append(group)
    return groups


def _call(make: Callable[[Any], Any], sampled: Sampled, threads: int, dtype: Type, accelerated: bool) -> Run:
    """A call of the processor that `make` gives, its values then brought to `dtype`, or of its drop-in for that."""
    from importlib.util import find_spec

    from autosched.hf import accelerate
    from autosched.hf.results import rounded

    processor, kind = make(sampled.settings), "np"
    if find_spec("torch") is not None:
        import torch

        torch.set_num_threads(threads)
        kind = "pt"
    if accelerated:
        fast = accelerate(processor, threads=threads, dtype=dtype)
        return lambda: fast(list(sampled.images), return_tensors=kind)
    return lambda: rounded(processor(list(sampled.images), return_tensors=kind), dtype)
