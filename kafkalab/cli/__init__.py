"""The command line: one file for each group of commands; parsing and printing only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

import typer

from kafkalab import __version__
from kafkalab.brokers.errors import BrokerError
from kafkalab.cli import output, tools
from kafkalab.cli.options import EITHER_NAME
from kafkalab.config import BadInput
from kafkalab.readable import readable

LEARN, OWN, LAB, SETUP = "Learn", "Your own code", "A Kafka to try things on", "Set up"

COMMANDS = {
    "learn": (LEARN, "learning.learn"),
    "facts": (LEARN, "learn.facts"),
    "quiz": (LEARN, "quiz.quiz"),
    "try": (LEARN, "experiment.try_"),
    "status": (LEARN, "log.status"),
    "note": (LEARN, "log.note"),
    "report": (LEARN, "log.report"),
    "why": (LEARN, "why.why"),
    "init": (OWN, "project.init"),
    "start": (OWN, "own.start"),
    "check": (OWN, "own.check"),
    "watch": (OWN, "watch.watch"),
    "mutants": (OWN, "mutants.mutants"),
    "hint": (OWN, "stuck.hint"),
    "solution": (OWN, "stuck.solution"),
    "up": (LAB, "live.up"),
    "down": (LAB, "live.down"),
    "ps": (LAB, "live.ps"),
    "topics": (LAB, "topics.app"),
    "produce": (LAB, "produce.produce"),
    "distribution": (LAB, "consume.distribution"),
    "consume": (LAB, "consume.consume"),
    "group": (LAB, "group.app"),
    "lag": (LAB, "lag.lag"),
    "explain": (LAB, "explain.explain"),
    "serve": (LAB, "serve.serve"),
    "deliver": (LAB, "deliver.deliver"),
    "prepare": (SETUP, "setup.prepare"),
    "doctor": (SETUP, "setup.doctor"),
    "clean": (SETUP, "clean.clean"),
}
"""for each command, its panel in the help, and its module and function"""

# A number may be negative, as in `kafkalab why -147`.
SETTINGS = {"why": {"ignore_unknown_options": True}}
"""of click, for single commands"""


def command_line(arguments: Sequence[str] = ()) -> typer.Typer:
    """The command line.

    Args:
        arguments: of the call. If they begin with a command, only that command is loaded, which
            is quicker.
    """
    app = typer.Typer(
        help="Apache Kafka's behaviour as executable facts.",
        epilog=tools.HELP,
        context_settings=EITHER_NAME,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback(invoke_without_command=True)(_options)
    asked = [each for each in arguments[:1] if each in COMMANDS]
    for name in asked or COMMANDS:
        panel, place = COMMANDS[name]
        module, attribute = place.split(".")
        found = getattr(import_module(f"kafkalab.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name, rich_help_panel=panel)
        else:
            app.command(name, rich_help_panel=panel, context_settings=SETTINGS.get(name))(found)
    return app


def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        output.line(f"kafkalab {__version__}")
        raise typer.Exit


def main() -> None:
    """Run a command; an error is one clear line on stderr.

    Then the exit code is 1, or 2 if the input was wrong.
    """
    for stream in (sys.stdout, sys.stderr):
        # Letters that the terminal's encoding lacks are shown as Python's escapes.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        command_line(sys.argv[1:])()
    except BrokerError as error:
        _fail(str(error), 1)
    except BadInput as error:
        # One line, whatever the input was: no broker's log follows here.
        _fail(readable(str(error)), 2)


def _fail(text: str, code: int) -> NoReturn:
    output.trouble(text)
    sys.exit(code)
