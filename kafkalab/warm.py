"""A broker that stays warm as long as a command, and the runs of pytest that use it.

The command owns a run, as pytest does elsewhere, and starts the run's shared broker
once. Each pytest that it starts is lent a share of that run, by a variable in its
environment: it attaches to the broker, and writes its own record and the learning log as it always
does, but closes nothing. The command does, or the watchdog, if the command was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from kafkalab.brokers import Backend
from kafkalab.brokers.errors import BrokerDied
from kafkalab.brokers.lease import Lease
from kafkalab.brokers.runs import Run
from kafkalab.config import Settings

VARIABLE = "KAFKALAB_SHARE"

# After Ctrl-C pytest tidies up after its test, and writes its record: that takes a second, and was
# seen to take more than 10 on a loaded machine.
END_LIMIT = 30.0

# Seconds that nobody notices: between two looks whether a pytest that says nothing has ended.
LISTEN_FOR = 0.1

GO = b"go\n"
"""what a pytest waits for that was made ready ahead"""


class BadShare(Exception):
    """The variable does not say what a share is."""


@dataclass(frozen=True)
class Share:
    """What a process is told that takes part in the run of another, and closes nothing.

    An xdist worker has it from its controller, a pytest from the command that started it.
    """

    run: Run
    """whose broker is used"""
    id: str
    """what the record is known by"""
    prefix: str
    """what the names of all topics, groups and transactional ids begin with; it begins with the
    run's own, so that who closes the run finds them"""
    backend: str = ""
    """empty where each process may choose, as nobody has yet"""
    trouble: str = ""
    """why no fact can run, where the host's tests run all the same; else empty"""
    command: tuple[str, ...] = ()
    """what the user called, as the record is to tell; empty where it was this pytest"""
    voice: int = -1
    """the descriptor by which a pytest hears when to begin, and tells how it goes; else -1"""
    limit: float = 0.0
    """seconds that a fact may take, unless it names its own limit; 0 where it is the usual one"""

    @classmethod
    def own(cls, run: Run) -> Self:
        """That of the process to which the run belongs."""
        return cls(run, run.folder.name, run.prefix)

    @classmethod
    def lent(cls, run: Run, command: Sequence[str], voice: int = -1, limit: float = 0.0) -> Self:
        """One for a pytest that uses the run's broker and has a record of its own."""
        name, told = uuid.uuid4().hex[:12], tuple(command)
        prefix = f"{run.prefix}{name[:6]}-"
        return cls(run, name, prefix, run.backend, command=told, voice=voice, limit=limit)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The share that `as_data` told of."""
        run, command = Run.from_data(data["run"]), tuple(data["command"])
        return cls(**{**data, "run": run, "command": command})

    def as_data(self) -> dict[str, Any]:
        """The share as JSON-safe data."""
        others = ("id", "prefix", "backend", "trouble", "command", "voice", "limit")
        return {"run": self.run.as_data(), **{name: getattr(self, name) for name in others}}

    @classmethod
    def from_environment(cls) -> Self | None:
        """The share that the command which started this process gave it; None without one.

        Raises:
            BadShare: the variable was set by somebody else.
        """
        text = os.environ.get(VARIABLE)
        try:
            return cls.from_data(json.loads(text)) if text else None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadShare(
                f"{VARIABLE} is for a pytest that kafkalab starts, and says nothing here: unset it"
            ) from error


@dataclass(frozen=True)
class Ended:
    """A pytest that has ended."""

    id: str
    """of its record"""
    exit_code: int
    output: str
    """all that it printed, stdout and stderr"""


class Pytest:
    """A pytest on a broker that is warm: made ready ahead, told to go, heard, and ended."""

    def __init__(
        self, run: Run, command: Sequence[str], told_as: Sequence[str], limit: float = 0.0
    ) -> None:
        """Start it.

        Args:
            run: whose broker it uses.
            command: the call of pytest.
            told_as: the command that its record tells.
            limit: seconds that a fact may take; 0: the usual limit.
        """
        self.run = run
        self.has_begun = False
        """whether it was told to go"""
        self.is_over = False
        """whether it has ended, and all that it said was taken"""
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - see end()
        self._ear, voice = socket.socketpair()
        self._rest = b""
        share = Share.lent(run, told_as, voice.fileno(), limit)
        self.id = share.id
        environment = {**os.environ, VARIABLE: json.dumps(share.as_data())}
        environment.pop("PYTEST_ADDOPTS", None)
        with voice:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                pass_fds=[voice.fileno()],
                # Ctrl-C in the terminal reaches only the command, which hands it on; why it is
                # not a session, see kafkalab.brokers.node.
                process_group=0,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def fileno(self) -> int:
        """What is ready to be read when it has said something."""
        return self._ear.fileno()

    def go(self) -> None:
        """Have it begin, as soon as it is ready."""
        self.has_begun = True
        # If it has ended already, that is seen by who listens.
        with contextlib.suppress(OSError):
            self._ear.sendall(GO)

    def said(self, limit: float) -> list[dict[str, Any]]:
        """What it has said since it was last asked; `is_over` when nothing more comes.

        Args:
            limit: seconds to wait for it.
        """
        if self.is_over:
            return []
        # Looked at first: what it said before it ended is there by then.
        has_ended = self._process.poll() is not None
        if not select.select([self._ear], [], [], 0 if has_ended else limit)[0]:
            # Whoever was forked from it may keep its voice.
            self.is_over = has_ended
            return []
        try:
            heard = self._ear.recv(1 << 20)
        except ConnectionError:
            heard = b""
        if not heard:
            self._process.wait()
            self.is_over = True
        *lines, self._rest = (self._rest + heard).split(b"\n")
        return [json.loads(line) for line in lines]

    def ended(self) -> Ended:
        """How it ended, once it is over."""
        self._output.seek(0)
        text = self._output.read().decode("utf-8", "replace")
        return Ended(self.id, self._process.wait(), text)

    def interrupt(self) -> None:
        """Have it end as by Ctrl-C, with its record; it takes a second or two."""
        if self._process.poll() is None:
            # Its workers too, if it has any: they would hear of it seconds later.
            os.killpg(self._process.pid, signal.SIGINT)

    def wait(self, limit: float) -> None:
        """Wait until it has ended by itself, so many seconds at most."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limit)

    def stop(self) -> None:
        """End it, if it has not ended, as by Ctrl-C, with its record; any thread may.

        One that was never told to go leaves no record.
        """
        try:
            if self.has_begun:
                self.interrupt()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_LIMIT)
        finally:
            # What its tests started, if it could not end that itself, is of its group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def end(self) -> None:
        """End it, if it has not ended, by its own thread; nothing is left of it."""
        try:
            self.stop()
        finally:
            self._ear.close()
            self._output.close()
            self.is_over = True


class WarmBroker:
    """One broker for all runs of pytest that a command starts."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        """Begin to start the broker, beside what the command does."""
        self.backend = backend
        self._settings = settings
        self._threads = ThreadPoolExecutor(1)
        self._running = set[Pytest]()
        self._is_ended = False
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._lease = Lease(self.backend, Run.new(self._settings.cache))
        self._broker = self._threads.submit(self._lease.broker)

    @property
    def run(self) -> Run:
        """The run whose broker it is now."""
        return self._lease.run

    @property
    def is_ready(self) -> bool:
        """Whether nobody would have to wait for it."""
        return self._broker.done()

    def ensure(self, tell: Callable[[str], None]) -> None:
        """Wait until the broker runs; one that has died meanwhile is replaced.

        Args:
            tell: takes a line for the user, if it died.

        Raises:
            BrokerError: it could not be started.
        """
        try:
            self._broker.result().check_alive()
        except BrokerDied as error:
            tell(f"{str(error).partition(' Suspected:')[0]} It is started anew.")
            self._lease.close(tell)
            self._begin()
            self._broker.result()

    def check_alive(self) -> None:
        """Look whether the broker runs.

        Raises:
            BrokerError: it does not.
        """
        self._broker.result().check_alive()

    def pytest(self, *arguments: str, told_as: Sequence[str], limit: float = 0.0) -> Ended:
        """Run pytest on this broker, and wait for its end.

        Ctrl-C ends pytest first.

        Args:
            arguments: what to run, and what else pytest is to know.
            told_as: the command that the record tells, for whoever wants to do it again.
            limit: seconds that a fact may take; 0: the usual limit.

        Raises:
            KeyboardInterrupt: pytest has ended by then, and its record says so; or `end_runs` was
                called.
        """
        with self.made_ready(*arguments, told_as=told_as, limit=limit) as ready:
            ready.go()
            while not ready.is_over:
                ready.said(LISTEN_FOR)
            return ready.ended()

    def made_ready(self, *arguments: str, told_as: Sequence[str], limit: float = 0.0) -> Pytest:
        """Start a pytest on this broker, which makes itself ready and waits for `go`.

        The broker need not run by now. Ini files, and options in the environment, are for
        other runs: facts are the same everywhere. Arguments are those of `pytest`.

        Raises:
            KeyboardInterrupt: `end_runs` was called.
        """
        command = [
            # -P: nothing that lies in the current folder, whatever its name, is run by this.
            *(sys.executable, "-P", "-m", "pytest", "-c", os.devnull, "--rootdir", str(Path.cwd())),
            *("-p", "no:cacheprovider", "-p", "no:randomly", "--color=no"),
            *self._settings.as_arguments(),
            f"--kafkalab-backend={self.backend.name}",
            *arguments,
        ]
        with self._lock:
            if self._is_ended:
                raise KeyboardInterrupt
            self._running = {each for each in self._running if not each.is_over}
            # What a signal raises between the start of a process and the note of it would
            # leave the process behind.
            with _signals_later():
                started = Pytest(self.run, command, told_as, limit)
                self._running.add(started)
        return started

    def end_runs(self) -> None:
        """End each pytest that another thread waits for, as by Ctrl-C; none begins any more."""
        with self._lock:
            self._is_ended = True
            running = [each for each in self._running if not each.is_over]
        for each in running:
            each.stop()

    def close(self, tell: Callable[[str], None]) -> None:
        """End the broker, the runs on it, and all that they have left.

        Args:
            tell: takes a line for the user, when it takes long.

        Raises:
            BrokerError: something that outlives them could not be deleted.
        """
        try:
            self.end_runs()
            if self.run.folder.exists():
                self._lease.close(tell)
        finally:
            # If it was starting, what it started has just ended; what it began since ends now.
            self._threads.shutdown(cancel_futures=True)
            if self.run.folder.exists():
                self.run.close()


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Let what this process does at a signal wait for the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Others are not Python's to hold back, and a program that is started inherits "ignored".
        if callable(handler := signal.getsignal(number)):
            before[number] = handler
            signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for first in came[:1]:
            signal.raise_signal(first)
