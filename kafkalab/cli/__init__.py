"""The command line: one file for each group of commands; parsing and printing only."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from kafkalab import __version__
from kafkalab.brokers.errors import BrokerError
from kafkalab.cli import clean, setup

app = typer.Typer(
    help="Apache Kafka's behaviour as executable facts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(setup.prepare)
app.command()(setup.doctor)
app.command()(clean.clean)


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        Console().print(f"kafkalab {__version__}", highlight=False)
        raise typer.Exit


def main() -> None:
    """Run a command; what went wrong is one clear line on stderr, and exit code 1."""
    try:
        app()
    except BrokerError as error:
        Console(stderr=True).print(
            f"kafkalab: {error}", style="red", highlight=False, markup=False, soft_wrap=True
        )
        sys.exit(1)
