"""`autosched explain NAME`: which schedule this machine uses, and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autosched.cli.console import out
from autosched.cli.emit import emit, of_record
from autosched.cli.options import Bucket, Json, Name, Threads, thread_count

if TYPE_CHECKING:
    from autosched.vlm.load import Tuned
    from autosched.vlm.registry import KernelFamily


def explain(name: Name, bucket: Bucket = None, threads: Threads = None, json: Json = False) -> None:
    """Say which tuned record answers for each bucket, and why others do not.

    A bucket is the images of a kernel that are shrunk by about as much; each has a schedule of its own.
    """
    from autosched.records import tuned_directories
    from autosched.runtime.cpu import fingerprint
    from autosched.vlm.load import load
    from autosched.vlm.registry import get

    count = thread_count(threads)
    buckets = [bucket] if bucket is not None else [b.name for b in get(name).buckets]
    answers = [load(name, bucket=each, threads=count) for each in buckets]
    if json:
        _emit(name, count, answers)
        return
    family = answers[0].family
    usual = _usual(family) if any(tuned.answer.located is None for tuned in answers) else set()
    console = out()
    console.print(f"CPU class {fingerprint().cpu_class}; records are looked for in", soft_wrap=True)
    for directory in tuned_directories():
        console.print(f"  {directory}" + " (does not exist)" * (not directory.is_dir()), soft_wrap=True)
    for tuned in answers:
        console.print()
        console.print(tuned.explain(), soft_wrap=True)
        if tuned.answer.located is not None:
            record = tuned.answer.located.record
            times, search = record.times, record.search
            by = f"tuned with {search.kernel}, " if search.kernel not in ("", family.name) else ""
            ms = f"{times.schedule.median:.4g} ms per item of {search.workload}"
            facts = (
                f"{by}recorded {record.origin.when:%Y-%m-%d}: {ms}",
                f"{times.speedup.median:.2f} times the default's speed, noise {100 * times.noise:.1f} %",
                f"{search.trials} schedules, {search.rounds} rounds",
            )
            console.print(f"  {'; '.join(facts)}", soft_wrap=True)
        else:
            console.print(f"  {_way_out(family, tuned.bucket.name in usual)}", soft_wrap=True)


def _emit(name: str, threads: int, answers: Sequence[Tuned]) -> None:
    from autosched.records import tuned_directories
    from autosched.runtime.cpu import fingerprint

    buckets = [
        {
            "bucket": tuned.bucket.name,
            "answered_by": tuned.answer.rung,
            "path": None if tuned.answer.located is None else tuned.answer.located.path,
            "record": None if tuned.answer.located is None else of_record(tuned.answer.located.record),
            "steps": tuned.answer.steps,
        }
        for tuned in answers
    ]
    directories = [{"path": path, "exists": path.is_dir()} for path in tuned_directories()]
    cpu_class = fingerprint().cpu_class
    emit("explain", kernel=name, cpu_class=cpu_class, threads=threads, directories=directories, buckets=buckets)


def _way_out(family: KernelFamily, usual: bool) -> str:
    """The command that gives a bucket a record; `usual` says whether a workload that is tuned by default is in it."""
    from autosched.cli.own import OwnFamily

    if usual:
        return f"`autosched tune {family.name}` makes a record"
    if isinstance(family, OwnFamily):
        return f"`autosched tune {family.name} {family.file.example}` makes a record"
    return (
        f"no usual workload falls in this bucket; `autosched tune {family.name} --images DIR` with images of this size "
        "makes a record"
    )


def _usual(family: KernelFamily) -> set[str]:
    """The buckets of the workloads that are tuned by default."""
    from autosched.cli.samples import sample, space_of

    return {sample(family, w, None).bucket.name for w in space_of(family).workloads if w.tune}
