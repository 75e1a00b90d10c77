"""`autosched merge FILES`: records of other machines and runs into one directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autosched.cli.console import out, say
from autosched.cli.emit import emit
from autosched.cli.options import Json
from autosched.errors import ArgumentError
from autosched.threads import counted

if TYPE_CHECKING:
    from autosched.records import Record

#: Files that were skipped of which the names are said.
SHOWN = 5


def merge(
    sources: Annotated[
        list[Path], typer.Argument(help="Files of records, or directories with such files.", show_default=False)
    ],
    out_dir: Annotated[
        Path | None,
        typer.Option("--out", help="Merge into this directory. [default: where tune writes]", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Merge records: of two with the same key the more rigorous search is kept, whatever the order.

    Files of older versions are brought up to date. Nothing is written where one of the files cannot be read. In a
    directory, files that are not of records are skipped.
    """
    from autosched.cli.written import told
    from autosched.records import put, read_strictly
    from autosched.shipped import user_directory
    from autosched.vlm.registry import users

    by_pipeline: dict[str, list[tuple[Record, Path]]] = {}
    files, skipped = _all_files(sources)
    if skipped:
        names = ", ".join(map(str, skipped[:SHOWN])) + (f" and {len(skipped) - SHOWN} more" * (len(skipped) > SHOWN))
        say(f"skipped, for they are no files of records: {names}")
    for file in files:
        pipeline, records = read_strictly(file, users)
        by_pipeline.setdefault(pipeline, []).extend((record, file) for record in records)
    console = out()
    changes = []
    for pipeline, group in sorted(by_pipeline.items()):
        for written in put((r for r, _ in group), pipeline, out_dir or user_directory(), dry_run=dry_run):
            changes.append({"path": written.path, "changed": written.after != written.before})
            known = [*group, *((record, written.path) for record in written.before)]
            for kept in written.after:
                same = [(record, file) for record, file in known if record.key == kept.key]
                others = {told(r): file for r, file in same if r != kept}
                if others:
                    by = next(file for record, file in same if record == kept)
                    not_kept = " or ".join(f"{what} from {file}" for what, file in others.items())
                    console.print(f"kept {_place(kept)}: {told(kept)} from {by}, not {not_kept}", soft_wrap=True)
            made = "would be written to" if dry_run else "written to"
            done = made if written.after != written.before else "nothing is new to"
            console.print(f"{done} {written.path}", soft_wrap=True)
    total = sum(map(len, by_pipeline.values()))
    console.print(f"{total} record{'s' * (total != 1)} from {len(files)} file{'s' * (len(files) != 1)}")
    if as_json:
        emit("merge", written=changes, skipped=skipped, records=total, files=files, dry_run=dry_run)


def _place(record: Record) -> str:
    return f"for bucket {record.key.bucket.name}, {counted(record.key.threads)}"


def _all_files(sources: list[Path]) -> tuple[list[Path], list[Path]]:
    """The files that are named, those of records in directories that are, and what else is in these."""
    files: list[Path] = []
    skipped: list[Path] = []
    for source in sources:
        if not source.exists():
            raise ArgumentError(f"{source} does not exist; name files of records, or directories with such files")
        if not source.is_dir():
            files.append(source)
            continue
        found = sorted(source.rglob("*.json"))
        of_records = [file for file in found if _of_records(file)]
        if not of_records:
            others = f"; skipped were {len(found)} other files" if found else ""
            raise ArgumentError(f"{source} has no files of records (*.json){others}")
        files += of_records
        skipped += [file for file in found if file not in of_records]
    return files, skipped


def _of_records(file: Path) -> bool:
    """Whether a file says that it is of records, of whatever version and however wrong."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(data, dict) and {"schema", "records"} <= data.keys()
