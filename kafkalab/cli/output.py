"""The only way from a command to the terminal: what has no shape is shown as Python writes it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import NoReturn

from rich.console import Console, RenderableType
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.syntax import Syntax
from rich.text import Text

from kafkalab import typed
from kafkalab.readable import LINES, readable

# Or a narrow terminal would get a letter a line, and one that says 0 nothing.
LEAST_WIDTH = 20

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
"""of partitions, or of members, in turn: told from each other on a light and on a dark ground"""

ENDED_BY_CLOSED_PIPE = 141
"""the exit code of whom a closed pipe ended: 128 and the number of SIGPIPE, as shells count"""

_printed = Counter[str]()
"""how many lines, where `printed` finds it"""

_fleeting = [""]
"""the line that the next one takes the place of; empty where there is none"""


def line(
    text: str = "",
    *,
    style: str = "",
    indent: int = 0,
    mark: str = "",
    console: Console | None = None,
) -> None:
    """Print text; what does not fit goes on below, as far to the right.

    A mark stands before the text's first line, and nothing below it. A progress bar moves
    out of the way of what its own console prints.
    """
    console = console or _console()
    beside = " " * indent + readable(mark)
    width = max(LEAST_WIDTH, console.width - len(beside))
    for part in Text(readable(text), style).wrap(console, width):
        part.rstrip()
        console.print(Text(beside) + part, soft_wrap=True)
        _printed["lines"] += 1
        beside = " " * len(beside)


def whole(text: str, *, style: str = "", indent: int = 0) -> None:
    """Print what is to be copied: a command, a path; it is never broken in two."""
    _print_whole(_console(), " " * indent + readable(text), style)
    _printed["lines"] += 1


def code(text: str, language: str) -> None:
    """Print code, coloured where the terminal has colours; no line is broken."""
    drawn = Syntax("", language, theme="ansi_dark").highlight(readable(text, keep=LINES))
    drawn.rstrip()
    _console().print(drawn, soft_wrap=True)


def picture(shown: RenderableType) -> None:
    """Print a table; whoever makes it puts in what is readable."""
    console = _console()
    console.print(shown)
    _printed["lines"] += len(console.render_lines(shown))


@contextlib.contextmanager
def redrawn() -> Iterator[Callable[[RenderableType], None]]:
    """Show tables, each in a terminal in the place of the one before, as long as the block runs.

    What does not fit a terminal is left out below. Elsewhere each is printed below the last one.
    """
    if not moves():
        yield picture
        return
    with Live(console=_console(), auto_refresh=False) as live:
        yield lambda shown: live.update(shown, refresh=True)


def fleeting(text: str) -> None:
    """Show a line in a terminal that is gone once anything else is printed, or this is called anew.

    Elsewhere nothing is shown, for nothing can be taken back there.

    Args:
        text: what does not fit is left out; if it is empty, the last such line goes.
    """
    console = Console(highlight=False)
    if text == _fleeting[0] or not moves():
        return
    console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
    shown = Text(readable(text), "dim", overflow="ellipsis")
    # In the last column some terminals go on to the next line.
    shown.truncate(console.width - 1)
    console.print(shown, end="", soft_wrap=True)
    console.file.flush()
    _fleeting[0] = text


def moves() -> bool:
    """Whether a line can be taken back: it goes to a terminal that knows how."""
    return sys.stdout.isatty() and not Console().is_dumb_terminal


def trouble(text: str) -> None:
    """Print on stderr what went wrong; a broker's log may follow below its line."""
    _print_whole(_console(stderr=True), "kafkalab: " + readable(text, keep=LINES), "red")


def one_of_many(text: str, *, at_once: bool = False) -> None:
    """Print a line that is readable already, quickly: a million of them may come.

    Args:
        text: the line.
        at_once: whether somebody waits for just this one.
    """
    sys.stdout.write(f"{text}\n")
    if at_once:
        sys.stdout.flush()


def beside() -> Console:
    """The console of a progress bar where the output may go to a program: it is on stderr."""
    return _console(stderr=True)


def note(text: str) -> None:
    """Print on stderr what is not the output, where a program may read that."""
    line(text, style="dim", console=_console(stderr=True))


def has_colours() -> bool:
    """Whether the terminal shows colours, and nobody has asked for none."""
    console = _console()
    return console.color_system is not None and not console.no_color


def ask(prompt: str) -> str:
    """Ask for a line.

    Raises:
        EOFError: nothing more comes.
    """
    answer = typed.line(readable(prompt))
    if not typed.is_terminal():
        # There it is not seen otherwise.
        line(answer)
    return answer


def printed() -> int:
    """How many lines were printed so far; what is to be copied is one, however long."""
    return _printed["lines"]


def can_show(text: str) -> bool:
    """Whether the terminal's encoding has all of these letters."""
    try:
        text.encode(_console().encoding)
    except UnicodeEncodeError:
        return False
    return True


def lines_of(text: str, width: int) -> int:
    """How many lines a text takes in so many columns."""
    return len(Text(text).wrap(_console(), width))


def width() -> int:
    """How many columns the terminal has."""
    return _console().width


class _Console(Console):
    """A console whose reader may go away: that ends the command as shells expect it."""

    def on_broken_pipe(self) -> NoReturn:
        self.quiet = True
        end_with_the_pipe()


def end_with_the_pipe() -> NoReturn:
    """End, since whoever read the output has left; no word of it is said.

    Raises:
        SystemExit: always.
    """
    # What is left in the buffer would fail once more when Python ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    raise SystemExit(ENDED_BY_CLOSED_PIPE)


def _console(*, stderr: bool = False) -> Console:
    fleeting("")
    console = _Console(stderr=stderr, highlight=False)
    return (
        console
        if console.width >= LEAST_WIDTH
        else _Console(stderr=stderr, highlight=False, width=LEAST_WIDTH)
    )


def _print_whole(console: Console, text: str, style: str) -> None:
    console.print(Text(text, style), soft_wrap=True)
