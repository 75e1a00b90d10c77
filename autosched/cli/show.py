"""`autosched show NAME`: a schedule as loops, source, LLVM IR or assembly."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import say
from autosched.cli.options import Bucket, Name, Threads, thread_count
from autosched.errors import ArgumentError, ScheduleError
from autosched.threads import counted

if TYPE_CHECKING:
    from autosched.schedule import Schedule
    from autosched.vlm.load import Tuned


class ShowLevel(StrEnum):
    """Representations of a schedule: loops, what they become, and the schedule itself."""

    loops = "loops"
    source = "source"
    llvm = "llvm"
    asm = "asm"
    json = "json"


def show(
    name: Name,
    level: Annotated[ShowLevel, typer.Option("--level", "-l", help="What to show.")] = ShowLevel.loops,
    schedule: Annotated[
        str, typer.Option("--schedule", "-s", help="One of those that `autosched bench` times, tuned, or a JSON file.")
    ] = "tuned",
    bucket: Bucket = None,
    threads: Threads = None,
) -> None:
    """Show how a kernel is computed: its loop nest, the generated source, LLVM IR or assembly."""
    from autosched.vlm.load import load

    tuned = load(name, bucket=bucket, threads=thread_count(threads))
    chosen = pick(tuned, schedule)
    if schedule == "tuned":
        say(_told(tuned, every=bucket is None))
    text = chosen.to_json() if level is ShowLevel.json else chosen.show(tuned.pipeline, level.value)
    typer.echo(text)


def _told(tuned: Tuned, every: bool) -> str:
    """The kernel and the schedule that are shown; with `every`, also the other buckets with schedules of their own."""
    from autosched.vlm.load import load

    name, here = tuned.family.name, tuned.bucket.name
    said = f"{name}, bucket {here}, {counted(tuned.threads)}: {tuned.answer.rung}"
    others = [b.name for b in tuned.family.buckets if b.name != here] if every else []
    found = [b for b in others if load(name, bucket=b, threads=tuned.threads).answer.located is not None]
    return said + (f"; tuned are also {', '.join(found)}, which --bucket shows" if found else "")


def pick(tuned: Tuned, which: str) -> Schedule:
    """The schedule that `which` names. Raises ArgumentError where there is none."""
    from autosched.schedule import Schedule

    if which == "tuned":
        return tuned.schedule
    if which in tuned.family.schedules:
        return tuned.family.schedules[which](tuned.bucket)
    path = Path(which)
    if path.suffix == ".json" or path.exists():
        try:
            return Schedule.from_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ScheduleError) as error:
            raise ArgumentError(
                f"--schedule {which} cannot be read: {getattr(error, 'strerror', None) or error}"
            ) from None
    known = ", ".join([*tuned.family.schedules, "tuned"])
    raise ArgumentError(f"{tuned.family.name} has no schedule {which!r}; there are {known}, or name a JSON file")
