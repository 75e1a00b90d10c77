"""Options that several subcommands share, and what their text means."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from autosched.cli.console import for_programs
from autosched.errors import ArgumentError


def _known(name: str) -> str:
    if ".py" in name:  # what it takes to run a user's file is slow to import
        from autosched.cli.own import make_known

        return make_known(name)
    return name


Name = Annotated[
    str,
    typer.Argument(
        help="A kernel; `autosched list` shows them. Or FILE.py:NAME in a file of your own: a Pipeline, for a shape of "
        "its output (-w 480x640) on random Inputs, or a tune.Task.",
        callback=_known,
        show_default=False,
    ),
]
Threads = Annotated[
    int | None, typer.Option("--threads", "-t", help="Threads to run on. [default: all CPUs]", show_default=False)
]
Images = Annotated[
    Path | None,
    typer.Option(
        "--images",
        help="Use the images in this directory, up to 64; with --workload under the settings of that one.",
        show_default=False,
    ),
]
Bucket = Annotated[
    str | None, typer.Option("--bucket", help="A bucket of the kernel. [default: the most common]", show_default=False)
]

Json = Annotated[
    bool,
    typer.Option("--json", callback=for_programs, help="Print one JSON object; what is for people goes to stderr."),
]

# What these may be is in tune.effort, samplers and regime, too slow to import for `--help`; Method checks them.
Preset = StrEnum("Preset", ["quick", "standard", "thorough"])
SamplerName = Literal["tpe", "random", "gp", "nsga2", "brute"]
RegimeName = Literal["warm", "cold-source", "fresh-output"]
Sampler = Annotated[
    SamplerName, typer.Option("--sampler", help="Who proposes schedules; nsga2 trades time for memory.")
]
Regime = Annotated[
    RegimeName, typer.Option("--regime", help="What is in the caches when the clock starts, and which pages are new.")
]

# Of `autosched tune --slurm`; cli.slurm says what they mean.
Slurm = Annotated[bool, typer.Option("--slurm", help="Tune on nodes of a Slurm cluster, each for itself alone.")]
Partition = Annotated[
    str | None,
    typer.Option("--partition", help="Their partition. [default: the cluster's]", show_default=False),
]
Constraint = Annotated[
    list[str] | None,
    typer.Option(
        "--constraint",
        "-C",
        help="A feature of nodes that says which CPU they have; one job for each that is given.",
        show_default=False,
    ),
]
Nodes = Annotated[
    int | None,
    typer.Option("--nodes", "-N", help="Nodes of a job; more than one share a study in --storage.", show_default=False),
]
Account = Annotated[str | None, typer.Option("--account", help="The account of the jobs.", show_default=False)]
TimeLimit = Annotated[
    str | None,
    typer.Option(
        "--time-limit",
        help="Of each job, which is requeued and goes on when it is over: 2h. [default: half as much again as the "
        "budget, and 15 minutes]",
        show_default=False,
    ),
]
Sbatch = Annotated[
    list[str] | None,
    typer.Option("--sbatch", help="Another option of sbatch, NAME=VALUE; may be repeated.", show_default=False),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the job scripts and submit nothing.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Submit the jobs only; the same command waits for them later.")]
LedgerFile = Annotated[Path | None, typer.Option("--ledger", hidden=True)]

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h)")


def duration(text: str, option: str) -> float:
    """Seconds of a duration such as 90, 60s, 2m or 1h30m. Raises ArgumentError, naming the option."""
    cleaned = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", cleaned):
        seconds = float(cleaned)
    else:
        parts = _PART.findall(cleaned)
        if not parts or "".join(number + unit for number, unit in parts) != cleaned:
            raise ArgumentError(f"{option} {text!r} is not a duration; write 90, 60s, 5m or 1h30m")
        seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not 0 < seconds < 1e9:
        raise ArgumentError(f"{option} {text!r} is {seconds:g} s; it must be more than 0 (and less than 30 years)")
    return seconds


def thread_count(threads: int | None) -> int:
    """The number of threads that was asked for, or that this process may use. Raises ArgumentError."""
    from autosched.threads import checked

    return checked(threads, "--threads")
