"""The app, and how its mistakes are shown: one red line and exit status 2, never a traceback."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from autosched.cli import (
    ablate,
    bench,
    doctor,
    experiment,
    explain,
    list_kernels,
    matrix,
    merge,
    report,
    show,
    space,
    tune,
)
from autosched.cli import warm as warming
from autosched.cli.console import complain, for_programs, warn
from autosched.cli.lasting import outlasting
from autosched.errors import AutoschedError, AutoschedWarning
from autosched.signals import like_ctrl_c

app = typer.Typer(
    name="autosched",
    help="Tune how image preprocessing is computed on this CPU, and look at what was found.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("tune")(outlasting(tune.tune))
app.command("list")(list_kernels.list_kernels)
app.command("show")(show.show)
app.command("bench")(bench.bench)
app.command("explain")(explain.explain)
app.command("ablate")(outlasting(ablate.ablate))
app.command("matrix")(outlasting(matrix.matrix))
app.command("report")(report.report)
app.command("space")(space.space)
app.command("merge")(merge.merge)
app.command("warm")(warming.warm)
app.command("doctor")(doctor.doctor)
app.add_typer(experiment.app, name="experiment")


def _version(asked: bool) -> None:
    if asked:
        from autosched import __version__

        typer.echo(f"autosched {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the app itself."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line `arguments` (default: those of the process); returns the exit status."""
    for_programs(False)
    shown = warnings.showwarning

    def showwarning(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, AutoschedWarning):
            warn(str(message))
        else:
            shown(message, category, *rest, **more)

    with warnings.catch_warnings():
        warnings.showwarning = showwarning
        warnings.simplefilter("always", AutoschedWarning)
        try:
            given = list(sys.argv[1:] if arguments is None else arguments)
            status = app(args=given or ["--help"], prog_name="autosched", standalone_mode=False)
        except AutoschedError as error:
            return complain(str(error))
        except typer.TyperException as error:
            command = getattr(getattr(error, "ctx", None), "command_path", None) or "autosched"
            message = _message(error).rstrip(".")
            stop = "" if message.endswith("?") else ";"
            return complain(f"{message}{stop} `{command} --help` says what there is")
        except typer.Abort:
            return complain("stopped", 130)
        except BrokenPipeError:
            sys.stderr.close()
            return 1
        except OSError as error:
            return complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error))
    return status if isinstance(status, int) else 0


def _message(error: typer.TyperException) -> str:
    formatted = getattr(error, "format_message", None)
    return str(formatted() if callable(formatted) else error).replace(": Value error, ", ": ", 1)


def main() -> NoReturn:
    """The entry point of the console script."""
    like_ctrl_c()
    sys.exit(run())
