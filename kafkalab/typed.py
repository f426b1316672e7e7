"""What somebody types: the only place that reads from the terminal, or from a pipe in its place."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import termios
import threading
from collections.abc import Iterator
from io import TextIOWrapper

ENDED_BY_CTRL_C = 130
"""the exit code of whom Ctrl-C ended: 128 and the number of SIGINT, as shells count"""

# Seconds in which Ctrl-C is heard at the latest: nobody feels them.
HEARD_WITHIN = 0.1


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
    with _hearing_ctrl_c():
        return " ".join(input(prompt).split())


@contextlib.contextmanager
def _hearing_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end what the block reads, whenever it is pressed.

    Python looks for signals, and then waits for a key. A signal that comes between the two is
    seen only after the next key. So the wait is interrupted again and again, by a signal which
    means nothing, and which does nothing where nobody handles it.
    """
    reader, read = threading.get_ident(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # Python gives signals to the main thread alone.
        yield
        return

    def interrupt() -> None:
        while not read.wait(HEARD_WITHIN):
            signal.pthread_kill(reader, signal.SIGURG)

    before = signal.signal(signal.SIGURG, lambda *_: None)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        yield
    finally:
        read.set()
        signal.signal(signal.SIGURG, before)


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
