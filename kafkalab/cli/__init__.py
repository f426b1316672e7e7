"""The command line: one file for each group of commands; parsing and printing only."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import NoReturn

import typer

from kafkalab import __version__
from kafkalab.brokers.errors import BrokerError
from kafkalab.cli import (
    clean,
    experiment,
    learn,
    learning,
    live,
    log,
    mutants,
    output,
    own,
    project,
    setup,
    stuck,
    tools,
    watch,
)
from kafkalab.cli.options import EITHER_NAME, WrongValue
from kafkalab.curriculum import BadManifest
from kafkalab.learning_log.acts import BadActs
from kafkalab.learning_log.journal import BadJournal
from kafkalab.readable import readable

app = typer.Typer(
    help="Apache Kafka's behaviour as executable facts.",
    epilog=tools.HELP,
    context_settings=EITHER_NAME,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(setup.prepare)
app.command()(setup.doctor)
app.command()(project.init)
app.command()(live.up)
app.command()(live.down)
app.command()(live.ps)
app.command()(learning.learn)
app.command()(learn.facts)
app.command("try")(experiment.try_)
app.command()(own.start)
app.command()(own.check)
app.command()(watch.watch)
app.command()(mutants.mutants)
app.command()(stuck.hint)
app.command()(stuck.solution)
app.command()(log.status)
app.command()(log.note)
app.command()(log.report)
app.command()(clean.clean)


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        output.line(f"kafkalab {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; what went wrong is one clear line on stderr.

    The exit code is 1, or 2 where what was asked for cannot be told.
    """
    for stream in (sys.stdout, sys.stderr):
        # Where a terminal knows no letter for something, it is shown as Python writes it.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except BrokerError as error:
        _fail(str(error), 1)
    except (BadActs, BadJournal, BadManifest, WrongValue) as error:
        # One line, whatever was given: no log follows here.
        _fail(readable(str(error)), 2)


def _fail(text: str, code: int) -> NoReturn:
    output.trouble(text)
    sys.exit(code)
