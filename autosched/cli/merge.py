"""`autosched merge FILES`: records of other machines and runs into one directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autosched.cli.console import out
from autosched.errors import ArgumentError


def merge(
    sources: Annotated[
        list[Path], typer.Argument(help="Files of records, or directories with such files.", show_default=False)
    ],
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", help="Merge into this directory. [default: where tune writes]", show_default=False),
    ] = None,
) -> None:
    """Merge records: of two with the same key the more rigorous search is kept, whatever the order.

    Files of older versions are brought up to date. Nothing is written where one of the files cannot be read.
    """
    from autosched.records import Record, read_strictly, write
    from autosched.shipped import user_directory

    by_pipeline: dict[str, list[Record]] = {}
    files = [file for source in sources for file in _files(source)]
    for file in files:
        pipeline, records = read_strictly(file)
        by_pipeline.setdefault(pipeline, []).extend(records)
    console = out()
    for pipeline, group in sorted(by_pipeline.items()):
        for path in write(group, pipeline, out_dir or user_directory()):
            console.print(f"written to {path}", soft_wrap=True)
    total = sum(map(len, by_pipeline.values()))
    console.print(f"{total} record{'s' * (total != 1)} from {len(files)} file{'s' * (len(files) != 1)}")


def _files(source: Path) -> list[Path]:
    if not source.exists():
        raise ArgumentError(f"{source} does not exist; name files of records, or directories with such files")
    if not source.is_dir():
        return [source]
    found = sorted(source.rglob("*.json"))
    if not found:
        raise ArgumentError(f"{source} has no files of records (*.json)")
    return found
