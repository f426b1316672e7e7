"""What somebody types: the only place that reads from the terminal, or from a pipe in its place."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import termios
from io import TextIOWrapper

ENDED_BY_CTRL_C = 130
"""the exit code of whom Ctrl-C ended: 128 and the number of SIGINT, as shells count"""


def line(prompt: str) -> str:
    """A line; it can be edited where there is a terminal. Blanks around it, or twice, are lost.

    Args:
        prompt: is shown as it is.

    Raises:
        EOFError: nothing more comes.
    """
    # As it is imported, input() gets the keys that move and delete.
    with contextlib.suppress(ImportError):
        import readline

        # What is pasted is one answer, of however many lines.
        readline.parse_and_bind("set enable-bracketed-paste on")
    if sys.stdin is None or sys.stdin.closed:
        raise EOFError
    if isinstance(sys.stdin, TextIOWrapper) and sys.stdin.errors == "strict":
        # What is in no alphabet that it knows is written as Python writes it.
        sys.stdin.reconfigure(errors="backslashreplace")
    return " ".join(input(prompt).split())


def may_come() -> bool:
    """Whether anything could be read: from a terminal, a pipe, a file; not the null device."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, ValueError, OSError):
        # There is none, or one without a file, which may have something.
        return sys.stdin is not None and not sys.stdin.closed
    return is_terminal() or not stat.S_ISCHR(mode)


def is_terminal() -> bool:
    """Whether what is typed comes from a terminal."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def forget() -> None:
    """Drop what was typed while nothing was asked: it is no answer to what comes."""
    if is_terminal():
        with contextlib.suppress(ValueError, OSError, termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)
