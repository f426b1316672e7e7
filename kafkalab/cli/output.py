"""The only way from a command to the terminal: control characters are shown as Python's escapes."""

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
from rich.segment import ControlType, SegmentLines
from rich.syntax import Syntax
from rich.text import Text

from kafkalab import typed
from kafkalab.readable import LINES, readable

# Otherwise a narrow terminal would get one letter in each line, and one that says 0 nothing.
LEAST_WIDTH = 20

COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
"""for partitions or members, one after the other; readable on a light and on a dark background"""

ENDED_BY_CLOSED_PIPE = 141
"""the exit code of a command that a closed pipe ended: 128 plus the number of SIGPIPE, as in shells
"""

_printed = Counter[str]()
"""how many lines were printed; `printed` returns it"""

_fleeting = [""]
"""the line that the next one replaces; empty if there is none"""


def line(
    text: str = "",
    *,
    style: str = "",
    indent: int = 0,
    mark: str = "",
    console: Console | None = None,
) -> None:
    """Print text, wrapped at the terminal's width, with the same indent on each line.

    The mark is printed before the first line only. While a progress bar is shown, print on its
    own console: then the bar stays below the text.
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
    """Print a command or a path, which a user may copy: it is never wrapped."""
    _print_whole(_console(), " " * indent + readable(text), style)
    _printed["lines"] += 1


def code(text: str, language: str) -> None:
    """Print code, in colours if the terminal has them; no line is wrapped."""
    drawn = Syntax("", language, theme="ansi_dark").highlight(readable(text, keep=LINES))
    drawn.rstrip()
    _console().print(drawn, soft_wrap=True)


def picture(shown: RenderableType) -> None:
    """Print a table; its texts must have gone through `readable` already."""
    console = _console()
    # Once, to print them and to count them: a table of 1,000 rows takes half a second.
    lines = console.render_lines(shown, pad=False)
    console.print(SegmentLines(lines, new_lines=True), end="")
    _printed["lines"] += len(lines)


@contextlib.contextmanager
def redrawn() -> Iterator[Callable[[RenderableType], None]]:
    """Show tables while the block runs; in a terminal each one replaces the one before.

    The end of a table that is too long for the terminal is left out. In a pipe or a file each
    table is printed below the last one.
    """
    if not moves():
        yield picture
        return
    with Live(console=_console(), auto_refresh=False) as live:
        yield lambda shown: live.update(shown, refresh=True)


def fleeting(text: str) -> None:
    """Show a line in a terminal until anything else is printed, or this is called again.

    Nothing is shown in a pipe or a file, where the line could not be removed.

    Args:
        text: cut if it does not fit; if it is empty, the line is removed.
    """
    console = Console(highlight=False)
    if text == _fleeting[0] or not moves():
        return
    console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
    shown = Text(readable(text), "dim", overflow="ellipsis")
    # Some terminals begin the next line after a letter in the last column.
    shown.truncate(console.width - 1)
    console.print(shown, end="", soft_wrap=True)
    console.file.flush()
    _fleeting[0] = text


def moves() -> bool:
    """Whether a printed line can be removed again: the output is a terminal that can do that."""
    return sys.stdout.isatty() and not Console().is_dumb_terminal


def trouble(text: str) -> None:
    """Print on stderr what went wrong, in one line; a broker's log may follow below it."""
    _print_whole(_console(stderr=True), "kafkalab: " + readable(text, keep=LINES), "red")


def one_of_many(text: str, *, at_once: bool = False) -> None:
    """Print a line that is readable already, quickly: there may be a million of them.

    Args:
        text: the line.
        at_once: whether to show it now, without waiting for more.
    """
    sys.stdout.write(f"{text}\n")
    if at_once:
        sys.stdout.flush()


def beside() -> Console:
    """The console of a progress bar: stderr, as a program may read stdout."""
    return _console(stderr=True)


def note(text: str) -> None:
    """Print on stderr a text that is not part of the output, as a program may read stdout."""
    line(text, style="dim", console=_console(stderr=True))


def has_colours() -> bool:
    """Whether the terminal shows colours, and the user did not switch them off."""
    console = _console()
    return console.color_system is not None and not console.no_color


def ask(prompt: str) -> str:
    """Ask for a line.

    Raises:
        EOFError: the input has ended.
    """
    answer = typed.line(readable(prompt))
    if not typed.is_terminal():
        # An answer from a pipe would not be seen otherwise.
        line(answer)
    return answer


def printed() -> int:
    """How many lines were printed so far; an unwrapped command counts as one."""
    return _printed["lines"]


def can_show(text: str) -> bool:
    """Whether the terminal's encoding has all of these letters."""
    try:
        text.encode(_console().encoding)
    except UnicodeEncodeError:
        return False
    return True


def lines_of(text: str, width: int) -> int:
    """How many lines a text takes at a width in columns."""
    return len(Text(text).wrap(_console(), width))


def width() -> int:
    """How many columns the terminal has."""
    return _console().width


class _Console(Console):
    """A console that ends the command, as shells expect, when its output pipe is closed."""

    def on_broken_pipe(self) -> NoReturn:
        self.quiet = True
        end_with_the_pipe()


def end_with_the_pipe() -> NoReturn:
    """End silently, because the program that read the output has ended.

    Raises:
        SystemExit: always.
    """
    # Python writes the rest of its buffer when it ends, which would fail again.
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
