"""`autosched explain NAME`: which schedule this machine uses, and why."""

from __future__ import annotations

from autosched.cli.console import out
from autosched.cli.options import Bucket, Name, Threads, thread_count


def explain(name: Name, bucket: Bucket = None, threads: Threads = None) -> None:
    """Say which rung of the lookup ladder answers for each bucket, and which field of the key failed on the others."""
    from autosched.records import tuned_directories
    from autosched.runtime.cpu import fingerprint
    from autosched.vlm.load import load
    from autosched.vlm.registry import get

    count = thread_count(threads)
    buckets = [bucket] if bucket is not None else [b.name for b in get(name).buckets]
    answers = [load(name, bucket=each, threads=count) for each in buckets]
    console = out()
    console.print(f"CPU class {fingerprint().cpu_class}; records are looked for in", soft_wrap=True)
    for directory in tuned_directories():
        console.print(f"  {directory}", soft_wrap=True)
    for tuned in answers:
        console.print()
        console.print(tuned.explain(), soft_wrap=True)
        if tuned.answer.located is not None:
            record = tuned.answer.located.record
            times, search = record.times, record.search
            facts = (
                f"recorded {record.origin.when:%Y-%m-%d}: {times.schedule.median:.4g} ms per item of {search.workload}",
                f"{times.speedup.median:.2f} times the default's speed, noise {100 * times.noise:.1f} %",
                f"{search.trials} schedules, {search.rounds} rounds",
            )
            console.print(f"  {'; '.join(facts)}", soft_wrap=True)
        else:
            console.print(f"  `autosched tune {name}` makes a record", soft_wrap=True)
