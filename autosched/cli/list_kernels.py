"""`autosched list`: the kernels, and what is tuned for this machine."""

from __future__ import annotations

from autosched.cli.console import out, table


def list_kernels() -> None:
    """Show all kernels, what they compute, and which schedule this machine would use."""
    from autosched.runtime.cpu import fingerprint
    from autosched.vlm.load import load
    from autosched.vlm.registry import names

    console = out()
    rows = table("name", "schedule here", "computes")
    for name in names():
        tuned = load(name)
        rows.add_row(name, str(tuned.answer.rung), tuned.family.summary)
    console.print(rows)
    console.print(f"this CPU: {fingerprint().cpu_class}")
