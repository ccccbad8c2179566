"""The ``ostinato`` command and the way it ends: 0 done, 1 bad data, 2 wrong usage, 130 Ctrl-C."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from ostinato import __version__
from ostinato.cli import answer, backtest, doctor, train, write

app = typer.Typer(
    name="ostinato",
    help="Recurrent neural networks: from a file of sequences to a model that proved its worth.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (train, answer, write, backtest, doctor):
    app.add_typer(group.commands)

# What a wrong option raises; typer carries its own copy of click or uses the installed one, by its version.
WRONG_USAGE: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ostinato {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Recurrent neural networks: from a file of sequences to a model that proved its worth."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and leaves the process; wrong usage is one line that says how to mend it."""
    try:
        code = app(args=None if arguments is None else list(arguments), prog_name="ostinato", standalone_mode=False)
        sys.stdout.flush()
    except WRONG_USAGE as error:
        code = _refused(error)
    except typer.Abort:
        code = 130
    except BrokenPipeError:
        # Who read our output is gone; without this Python would complain once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    sys.exit(code if isinstance(code, int) else 0)


def _refused(error: Any) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message())
        return 2
    context = getattr(error, "ctx", None)
    help_line = f" (see: {context.command_path} --help)" if context is not None else ""
    message = " ".join(error.format_message().split()).rstrip(".")
    typer.echo(f"ostinato: {message}{help_line}", err=True)
    return 2
