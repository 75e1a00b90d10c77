"""Command line options that several commands share."""

from __future__ import annotations

from collections.abc import Collection

import typer


def chosen(text: str, known: Collection[str], option: str) -> list[str]:
    """The names in a list that is separated by commas. Raises typer.BadParameter where one is unknown."""
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        given = ", ".join(unknown) or "nothing"
        raise typer.BadParameter(f"{given} is not known; choose from {', '.join(known)}", param_hint=option)
    return names


def counts(text: str, all_threads: int) -> list[int]:
    """The numbers in a list that is separated by commas; 1 and all where it is empty. Raises typer.BadParameter."""
    if not text:
        return sorted({1, all_threads})
    if not all(part.isdigit() and int(part) > 0 for part in text.split(",")):
        raise typer.BadParameter(f"{text} is not a list of numbers of threads, such as 1,2", param_hint="--threads")
    return [int(part) for part in text.split(",")]
