"""What somebody types: the only place that reads from the terminal, or from a pipe in its place."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from io import TextIOWrapper
from typing import Any, Self

ENDED_BY_CTRL_C = 130
"""the exit code of whom Ctrl-C ended: 128 and the number of SIGINT, as shells count"""

# Seconds in which Ctrl-C is heard at the latest: nobody feels them.
HEARD_WITHIN = 0.1
CTRL_D = b"\x04"


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


class Keys:
    """Single keys, each as it is pressed and shown nowhere, as long as the block runs.

    After it the terminal is as it was before, and so it is while the process is stopped by Ctrl-Z.
    Without a terminal nothing comes.
    """

    def __init__(self) -> None:
        self._terminal = sys.stdin.fileno() if is_terminal() else -1
        self._before: list[Any] = []
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if self._terminal >= 0:
            self._before = termios.tcgetattr(self._terminal)
            for number, handler in ((signal.SIGTSTP, self._stop), (signal.SIGCONT, self._go_on)):
                self._handlers[number] = signal.signal(number, handler)
            self._go_on()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._restore()

    @property
    def can_come(self) -> bool:
        """Whether a key could be read now: not while a shell has the terminal."""
        return self._terminal >= 0 and _is_in_front(self._terminal)

    def fileno(self) -> int:
        """What is ready to be read when a key was pressed."""
        return self._terminal

    def read(self) -> str:
        """The keys that were pressed; what is more than one letter, such as an arrow, is none.

        Raises:
            EOFError: the terminal is gone, or Ctrl-D was pressed.
        """
        try:
            pressed = os.read(self._terminal, 1024)
        except OSError:
            pressed = b""
        if pressed in (b"", CTRL_D):
            raise EOFError
        return "" if pressed.startswith(b"\x1b") else pressed.decode("utf-8", "ignore")

    def _go_on(self, *_: object) -> None:
        if self.can_come:
            with contextlib.suppress(termios.error):
                tty.setcbreak(self._terminal, termios.TCSADRAIN)

    def _stop(self, *_: object) -> None:
        self._restore()
        # It goes on here, once somebody has it go on.
        os.kill(os.getpid(), signal.SIGSTOP)

    def _restore(self) -> None:
        if self._before and self.can_come:
            # What was pressed and not read was meant for this program.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSAFLUSH, self._before)


def _is_in_front(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
