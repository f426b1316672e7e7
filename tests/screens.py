"""A real terminal for tests: a program in it, what it shows, and what is typed."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from kafkalab.waiting import wait_until

# A command takes a second or two, one that judges 24 facts before it goes on 45 s; the rest is for
# a machine under heavy load.
LIMIT = 240.0

CTRL_C, CTRL_D, ENTER = "\x03", "\x04", "\r"

# Colours, movements of the cursor, titles: what a terminal does, and nobody reads.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[=>()][0AB]?|[\r\x07]")
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """One program in a terminal of its own."""

    def __init__(self, process: pexpect.spawn[str], columns: int, rows: int) -> None:
        self._process = process
        self._screen = pyte.HistoryScreen(columns, rows, history=5000)
        self._stream = pyte.Stream(self._screen)
        self._fresh = ""
        self.received = ""
        """all that the program sent, as it was sent"""

    @property
    def lines(self) -> list[str]:
        """What the screen shows now."""
        self._read()
        return [line.rstrip() for line in self._screen.display]

    @property
    def whole(self) -> list[str]:
        """All lines that were ever shown, also those that moved out at the top."""
        self._read()
        width = self._screen.columns
        gone = ["".join(line[at].data for at in range(width)) for line in self._screen.history.top]
        return [line.rstrip() for line in gone] + self.lines

    @property
    def sent(self) -> list[str]:
        """The lines that the program sent, as wide as they were; also what lost its place."""
        return [line.rstrip() for line in re.split("[\r\n]+", SEQUENCE.sub("", self.received))]

    @property
    def pid(self) -> int:
        """Of the program."""
        return self._process.pid

    @property
    def terminal(self) -> int:
        """The descriptor of the terminal, to ask for its modes."""
        return self._process.child_fd

    def see(self, *texts: str, limit: float = LIMIT) -> None:
        """Wait until the program has shown these texts since something was typed, or forgotten.

        Where lines are broken is of no matter.
        """

        def missing() -> tuple[list[str], str]:
            self._read()
            shown = " ".join(CONTROL.sub("", self._fresh).split())
            # A wait that fails shows the start of what it saw; but the end says what went wrong.
            return [text for text in texts if text not in shown], shown[-600:]

        wait_until(missing, lambda seen: not seen[0], limit=limit, what=f"{texts} on the screen")

    def type(self, text: str) -> None:
        """Type a text, and Enter."""
        self.press(f"{text}{ENTER}")

    def press(self, keys: str) -> None:
        """Type keys as they are."""
        self.forget()
        self._process.send(keys)

    def forget(self) -> None:
        """From here on `see` waits for what is yet to be shown."""
        self._read()
        self._fresh = ""

    def resize(self, columns: int, rows: int) -> None:
        """Make the terminal another one in size, as who pulls at a window's corner."""
        self._read()
        self._screen.resize(rows, columns)
        self._process.setwinsize(rows, columns)

    def end(self) -> int:
        """Wait for the program's end; its exit code, or less than 0: which signal ended it."""
        wait_until(self._has_ended, limit=LIMIT, what="the program's end")
        self._read()
        status, signal = self._process.exitstatus, self._process.signalstatus
        return -signal if signal is not None else status or 0

    def _has_ended(self) -> bool:
        self._read()
        return not self._process.isalive()

    def _read(self) -> None:
        while True:
            try:
                text = self._process.read_nonblocking(65536, timeout=0)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return
            self.received += text
            self._fresh += text
            self._stream.feed(text)


@contextmanager
def screen(
    command: Sequence[str],
    folder: Path,
    *,
    columns: int = 80,
    rows: int = 40,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Screen]:
    """Run a command in a terminal; it is ended with the block, if it has not ended before.

    Args:
        command: the program and its arguments.
        folder: where it is called.
        columns: the terminal's width.
        rows: its height.
        environment: variables beside this process's own.
    """
    given = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    process = pexpect.spawn(
        command[0],
        list(command[1:]),
        cwd=str(folder),
        env={**given, "TERM": "xterm", **(environment or {})},
        dimensions=(rows, columns),
        encoding="utf-8",
        codec_errors="replace",
        # A shell that runs the tests in the background has SIGINT ignored, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # What is typed is sent at once: tests wait for what they answer.
    process.delaybeforesend = None
    try:
        yield Screen(process, columns, rows)
    finally:
        # One that tidies up at a hangup would take longer than pexpect waits for it.
        if process.isalive():
            process.kill(signal.SIGKILL)
        wait_until(lambda: not process.isalive(), limit=LIMIT, what="the program to be gone")
        process.close(force=True)
