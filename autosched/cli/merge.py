"""`autosched merge FILES`: records of other machines and runs into one directory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import out
from autosched.errors import ArgumentError
from autosched.threads import counted

if TYPE_CHECKING:
    from autosched.records import Record


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
    from autosched.cli.written import told
    from autosched.records import put, read_strictly
    from autosched.shipped import user_directory

    by_pipeline: dict[str, list[tuple[Record, Path]]] = {}
    files = [file for source in sources for file in _files(source)]
    for file in files:
        pipeline, records = read_strictly(file, _tunable)
        by_pipeline.setdefault(pipeline, []).extend((record, file) for record in records)
    console = out()
    for pipeline, group in sorted(by_pipeline.items()):
        for written in put((record for record, _ in group), pipeline, out_dir or user_directory()):
            known = [*group, *((record, written.path) for record in written.before)]
            for kept in written.after:
                same = [(record, file) for record, file in known if record.key == kept.key]
                others = {told(r): file for r, file in same if r != kept}
                if others:
                    by = next(file for record, file in same if record == kept)
                    not_kept = " or ".join(f"{what} from {file}" for what, file in others.items())
                    console.print(f"kept {_place(kept)}: {told(kept)} from {by}, not {not_kept}", soft_wrap=True)
            done = "written to" if written.after != written.before else "nothing is new to"
            console.print(f"{done} {written.path}", soft_wrap=True)
    total = sum(map(len, by_pipeline.values()))
    console.print(f"{total} record{'s' * (total != 1)} from {len(files)} file{'s' * (len(files) != 1)}")


def _place(record: Record) -> str:
    return f"for bucket {record.key.bucket.name}, {counted(record.key.threads)}"


def _tunable(name: str) -> bool:
    """Whether `autosched tune` knows a kernel or a pipeline of that name."""
    from autosched.vlm.registry import get

    try:
        get(name)
    except ArgumentError:
        return False
    return True


def _files(source: Path) -> list[Path]:
    if not source.exists():
        raise ArgumentError(f"{source} does not exist; name files of records, or directories with such files")
    if not source.is_dir():
        return [source]
    found = sorted(source.rglob("*.json"))
    if not found:
        raise ArgumentError(f"{source} has no files of records (*.json)")
    return found
