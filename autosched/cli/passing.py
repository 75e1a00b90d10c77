"""What was given on a command line, to be given again on the command line of a job."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

import typer

from autosched.errors import ArgumentError

#: Options of `autosched tune` that mean nothing without --slurm.
CLUSTER = ("partition", "constraint", "nodes", "account", "time_limit", "sbatch", "dry_run", "no_wait")
#: What a job is told otherwise.
_OWN = {*CLUSTER, "slurm", "out_dir", "replace", "ledger", "json"}


def refuse_cluster_options(context: typer.Context) -> None:
    """Raise ArgumentError where there are options of --slurm without it."""
    for parameter in context.command.params:
        if parameter.name in CLUSTER and _given(context, parameter.name):
            raise ArgumentError(f"{parameter.opts[0]} is an option of --slurm; give that too, or leave it out")


def _given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def passed_on(context: typer.Context) -> tuple[str, ...]:
    """The command line of a job: what was given here, whatever it is, without what is about the cluster."""
    from autosched.cli.own import absolute

    options: list[str] = []
    names: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        if name in _OWN or not _given(context, name):
            continue
        value = context.params[name]
        for one in value if isinstance(value, list | tuple) else [value]:
            text = str(one.resolve() if isinstance(one, Path) else one.value if isinstance(one, Enum) else one)
            if parameter.param_type_name == "argument":
                names.append(absolute(text))
            elif isinstance(one, bool):
                options.append((parameter.opts if one else parameter.secondary_opts)[0])
            else:
                options += [parameter.opts[0], text]
    return ("tune", *names, *options)
