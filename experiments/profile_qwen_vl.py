"""Where a whole call of the accelerated Qwen2.5-VL processor spends its time, as a table.

`python -m experiments.profile_qwen_vl` prints the least of several rounds: numbers for finding what to work on, not
results.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from autosched.runtime import default_threads
from experiments import parts
from experiments.options import chosen, counts
from experiments.timing import Rounds
from experiments.workloads import STANDARD, WORKLOADS

_ROUNDS = Rounds(least=5, most=40, seconds=4.0)


def main(
    threads: Annotated[str, typer.Option(help="Numbers of threads; by default 1 and all.")] = "",
    workloads: Annotated[str, typer.Option(help="Names, separated by commas.")] = ",".join(STANDARD),
) -> None:
    """Print where the time of a whole call goes."""
    console = Console()
    if not console.is_terminal:
        console.width = 180
    names = chosen(workloads, WORKLOADS, "--workloads")
    for count in counts(threads, default_threads()):
        table = Table(title=f"accelerated Qwen2.5-VL, {count} thread{'s' * (count > 1)}, least ms (share of the call)")
        for heading in ("workload", *parts.PARTS, "page faults"):
            table.add_column(heading, justify="left" if heading == "workload" else "right", no_wrap=True)
        for name in names:
            times = parts.measure(WORKLOADS[name], count, _ROUNDS)
            cells = [f"{1000 * value:.2f} ({value / times[parts.WHOLE]:4.0%})" for value in times.values()]
            table.add_row(name, *cells, str(parts.faults(WORKLOADS[name], count)))
        console.print(table)
    for part, meaning in parts.PARTS.items():
        console.print(f"{part}: {meaning}", highlight=False)


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    app()
