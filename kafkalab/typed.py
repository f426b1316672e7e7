"""Read what the user types: the only module that reads from the terminal, or from a pipe."""

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
"""the exit code of a process that Ctrl-C ended: 128 plus the number of SIGINT, as in shells"""

# Seconds until Ctrl-C takes effect, at most: too short to notice.
HEARD_WITHIN = 0.1
CTRL_D = b"\x04"


def line(prompt: str) -> str:
    """Read a line; on a terminal the user can edit it. Extra blanks are removed.

    Args:
        prompt: is shown unchanged.

    Raises:
        EOFError: the input has ended.
    """
    # The import alone gives input() the keys that move the cursor and delete.
    with contextlib.suppress(ImportError):
        import readline

        # A pasted text is one answer, even if it has several lines.
        readline.parse_and_bind("set enable-bracketed-paste on")
    if sys.stdin is None or sys.stdin.closed:
        raise EOFError
    if isinstance(sys.stdin, TextIOWrapper) and sys.stdin.errors == "strict":
        # Bytes that cannot be decoded become Python's escapes instead of an error.
        sys.stdin.reconfigure(errors="backslashreplace")
    with _hearing_ctrl_c():
        return " ".join(input(prompt).split())


@contextlib.contextmanager
def _hearing_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C interrupt the reading in the block at any time.

    Python checks for signals and then waits for a key. If a signal comes between the two, it is
    seen only after the next key. So a thread interrupts the wait again and again, with SIGURG:
    this signal has no meaning here, and by default it is ignored.
    """
    reader, read = threading.get_ident(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        # Python handles signals in the main thread only.
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
    """Whether any input could come: from a terminal, a pipe or a file, not the null device."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, ValueError, OSError):
        # There is no stdin, or it is an object without a file, which may have input.
        return sys.stdin is not None and not sys.stdin.closed
    return is_terminal() or not stat.S_ISCHR(mode)


def is_terminal() -> bool:
    """Whether what is typed comes from a terminal."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def forget() -> None:
    """Drop what was typed before a question: it is not an answer to it."""
    if is_terminal():
        with contextlib.suppress(ValueError, OSError, termios.error):
            termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


class Keys:
    """Reads single keys as they are pressed, without showing them, during the block.

    After the block, and while Ctrl-Z has stopped the process, the terminal is as it was before.
    Without a terminal there are no keys.
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
        """Whether a key could be read now: not while this process is in the background."""
        return self._terminal >= 0 and _is_in_front(self._terminal)

    def fileno(self) -> int:
        """The descriptor that is readable when a key was pressed."""
        return self._terminal

    def read(self) -> str:
        """The keys that were pressed; keys that send a sequence, such as arrows, are ignored.

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
        # After SIGCONT the process goes on here.
        os.kill(os.getpid(), signal.SIGSTOP)

    def _restore(self) -> None:
        if self._before and self.can_come:
            # TCSAFLUSH drops unread keys: they were meant for this program, not for the shell.
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSAFLUSH, self._before)


def _is_in_front(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
