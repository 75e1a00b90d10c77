"""Where the command line writes: results to standard output, everything else to standard error."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Whether standard output is for a program: what is for people goes to standard error then.
_for_programs = False

#: Characters of a line where nobody's terminal says how many: in a pipe or a file.
_WIDTH = 160


def for_programs(asked: bool) -> bool:
    """Say whether standard output is for a program, as with --json. Returns it."""
    global _for_programs
    _for_programs = asked
    return asked


def out() -> Console:
    """The console for results. Made when asked for, for a test or a pipe may have replaced the stream."""
    if _for_programs:
        return err()
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if known else _WIDTH)


def err() -> Console:
    """The console for progress and mistakes."""
    return Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Show a line of what goes on."""
    err().print(message, soft_wrap=True, markup=False)


def complain(message: str, status: int = 2) -> int:
    """Show a mistake in one red line; returns the exit status."""
    err().print(Text(f"error: {' '.join(message.split())}", style="red"), soft_wrap=True)
    return status


def warn(message: str) -> None:
    """Show a warning in one yellow line."""
    err().print(Text(f"warning: {' '.join(message.split())}", style="yellow"), soft_wrap=True)


def table(*columns: str, numbers: int = 0) -> Table:
    """A plain table; the last `numbers` columns are aligned to the right, and are never cut."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for i, name in enumerate(columns):
        right = i >= len(columns) - numbers
        made.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    return made


def amount(nbytes: int) -> str:
    """Bytes as people write them: 0, 812 B, 35 KB, 1.4 MB."""
    size = float(nbytes)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}" if size else "0"
        size /= 1000
    return f"{size:.3g} GB"
