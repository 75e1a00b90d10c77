"""`autosched list`: the kernels, and what is tuned for this machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autosched.cli.console import out, table
from autosched.cli.emit import emit
from autosched.cli.options import Json

if TYPE_CHECKING:
    from autosched.records.lookup import Rung


def list_kernels(json: Json = False) -> None:
    """Show all kernels, what they compute, and for how many of their buckets this machine has tuned schedules."""
    from autosched.runtime.cpu import fingerprint
    from autosched.vlm.load import load
    from autosched.vlm.registry import get, names

    console = out()
    kernels = []
    rows = table("name", "schedule here", "computes")
    for name in names():
        family = get(name)
        rungs = [load(name, bucket=bucket.name).answer.rung for bucket in family.buckets]
        buckets = dict(zip((bucket.name for bucket in family.buckets), rungs, strict=True))
        kernels.append({"name": name, "computes": family.summary, "buckets": buckets})
        rows.add_row(name, _told(rungs), family.summary)
    if json:
        emit("list", cpu_class=fingerprint().cpu_class, kernels=kernels)
        return
    console.print(rows)
    console.print(f"this CPU: {fingerprint().cpu_class}")


def _told(rungs: Sequence[Rung]) -> str:
    """What answers for the buckets of a kernel."""
    found = Counter(rung for rung in rungs if rung != "built-in default")
    if not found:
        return "built-in default"
    if len(rungs) == 1:
        return rungs[0]
    parts = [f"{'tuned' if rung == 'exact' else rung} for {n}" for rung, n in found.items()]
    return f"{', '.join(parts)} of {len(rungs)} buckets"
