"""Results as tables in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from experiments.cell import FLOORS
from experiments.results import Measure, Row
from experiments.workloads import WORKLOADS

_COLUMNS: tuple[tuple[Measure, str, str], ...] = (
    ("time", "", "ms"),
    ("speedup", "hf-torchvision", "over torchvision"),
    ("speedup", "hf-pil", "over PIL"),
    ("speedup", "hf-processors-rs", "over Rust"),
    ("times floor", "floor", "x floor"),
    ("times floor", "floor-nontemporal", "x nt floor"),
    ("peak memory", "", "peak/output"),
    ("extra memory", "", "extra MB"),
)
_INTERVALS = ("speedup", "times floor")


def tables(
    rows: Iterable[Row], workloads: Sequence[str], threads: Sequence[int], implementations: Iterable[str]
) -> list[Table]:
    """One table a number of threads: a line a workload and implementation, intervals in brackets."""
    known = {row.key: row for row in rows}
    made = []
    for count in threads:
        table = Table(title=f"Qwen2.5-VL, whole call from PIL images, {count} thread{'s' * (count > 1)}")
        table.add_column("implementation", no_wrap=True)
        for _, _, heading in _COLUMNS:
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("bits", no_wrap=True)
        for workload in workloads:
            _add_section(table, known, workload, count, implementations)
        made.append(table)
    return made


def _add_section(
    table: Table,
    known: Mapping[tuple[str, int, str, str, str], Row],
    workload: str,
    threads: int,
    implementations: Iterable[str],
) -> None:
    table.add_row(f"[bold]{WORKLOADS[workload].title}[/bold]")
    for name in [*implementations, *FLOORS]:
        found = [known.get((workload, threads, name, measure, against)) for measure, against, _ in _COLUMNS]
        first = next((row for row in found if row is not None), None)
        if first is None:
            continue
        bits = "" if name in FLOORS else "exact" if first.exact else "[red]differ[/red]"
        table.add_row(name, *map(_cell, found), bits)
    table.add_section()


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    value = f"{row.value:.3g}" if row.value < 1000 else f"{row.value:.0f}"
    return f"{value} [dim]{row.low:.3g}..{row.high:.3g}[/dim]" if row.measure in _INTERVALS else value
