"""The only way from a command to the terminal: what has no shape is shown as Python writes it."""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.text import Text

from kafkalab.readable import LINES, readable


def line(
    text: str = "", *, style: str = "", indent: int = 0, console: Console | None = None
) -> None:
    """Print text; what does not fit goes on below, as far to the right.

    A progress bar moves out of the way of what its own console prints.
    """
    console = console or Console(highlight=False)
    # 20 columns at least, or a narrow terminal would get a letter a line.
    width = max(20, console.width - indent)
    for part in Text(readable(text), style).wrap(console, width):
        part.rstrip()
        console.print(Text(" " * indent) + part, soft_wrap=True)


def whole(text: str, *, style: str = "", indent: int = 0) -> None:
    """Print what is to be copied: a command, a path; it is never broken in two."""
    _print_whole(Console(highlight=False), " " * indent + readable(text), style)


def picture(shown: RenderableType) -> None:
    """Print a table; whoever makes it puts in what is readable."""
    Console(highlight=False).print(shown)


def trouble(text: str) -> None:
    """Print on stderr what went wrong; a broker's log may follow below its line."""
    errors = Console(stderr=True, highlight=False)
    _print_whole(errors, "kafkalab: " + readable(text, keep=LINES), "red")


def width() -> int:
    """How many columns the terminal has."""
    return Console().width


def _print_whole(console: Console, text: str, style: str) -> None:
    console.print(Text(text, style), soft_wrap=True)
