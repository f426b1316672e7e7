"""A broker that runs as long as a command, and the runs of pytest that use it.

The command owns the run and starts the run's shared broker once. (Without a command, pytest
itself owns it.) The command lends each pytest that it starts a share of the run, by a variable
in the environment. This pytest attaches to the broker, and writes its own record and the learning
log as usual, but ends no broker. The command ends the broker; if the command was killed, the
watchdog does.
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

from kafkalab.brokers import Backend, Broker
from kafkalab.brokers.errors import BrokerDied
from kafkalab.brokers.lease import Lease
from kafkalab.brokers.runs import Run
from kafkalab.config import Settings

VARIABLE = "KAFKALAB_SHARE"

# Seconds. After Ctrl-C pytest cleans up after its test and writes its record. That takes a second;
# on a loaded machine more than 10 were measured.
END_LIMIT = 30.0

# Seconds between two checks whether a pytest that sends nothing has ended; too short to notice.
LISTEN_FOR = 0.1

GO = b"go\n"
"""the message for which a pytest waits that was started in advance"""


class BadShare(Exception):
    """The variable does not describe a share."""


@dataclass(frozen=True)
class Share:
    """The data of a process that takes part in another's run and does not end its brokers.

    An xdist worker gets it from its controller, a pytest from the command that started it.
    """

    run: Run
    """the run with the broker to use"""
    id: str
    """the id of the record"""
    prefix: str
    """the start of the names of all topics, groups and transactional ids; it begins with the
    run's own prefix, so that the owner of the run finds and deletes them"""
    backend: str = ""
    """the backend's name; empty if none was chosen yet, so that each process may choose"""
    trouble: str = ""
    """why no fact can run, though the project's own tests run; else empty"""
    command: tuple[str, ...] = ()
    """the command that the user called, for the record; empty if it was this pytest"""
    voice: int = -1
    """the socket for pytest's start signal and its progress reports; -1 without one"""
    limit: float = 0.0
    """seconds that a fact may take, unless it names its own limit; 0: the usual limit"""

    @classmethod
    def own(cls, run: Run) -> Self:
        """The share of the process that owns the run."""
        return cls(run, run.folder.name, run.prefix)

    @classmethod
    def lent(cls, run: Run, command: Sequence[str], voice: int = -1, limit: float = 0.0) -> Self:
        """A share for a pytest that uses the run's broker and has its own record."""
        name, told = uuid.uuid4().hex[:12], tuple(command)
        prefix = f"{run.prefix}{name[:6]}-"
        return cls(run, name, prefix, run.backend, command=told, voice=voice, limit=limit)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The share from the data of `as_data`."""
        run, command = Run.from_data(data["run"]), tuple(data["command"])
        return cls(**{**data, "run": run, "command": command})

    def as_data(self) -> dict[str, Any]:
        """The share as JSON-safe data."""
        others = ("id", "prefix", "backend", "trouble", "command", "voice", "limit")
        return {"run": self.run.as_data(), **{name: getattr(self, name) for name in others}}

    @classmethod
    def from_environment(cls) -> Self | None:
        """The share from the command that started this process; None without one.

        Raises:
            BadShare: the variable's value does not come from kafkalab.
        """
        text = os.environ.get(VARIABLE)
        try:
            return cls.from_data(json.loads(text)) if text else None
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadShare(
                f"{VARIABLE} is only for a pytest that kafkalab starts, and its value is not "
                "valid: unset it"
            ) from error


@dataclass(frozen=True)
class Ended:
    """A pytest that has ended."""

    id: str
    """the id of its record"""
    exit_code: int
    output: str
    """its whole output, stdout and stderr"""


class Pytest:
    """A pytest on a warm broker. It is started in advance, and begins to run facts at `go`."""

    def __init__(
        self, run: Run, command: Sequence[str], told_as: Sequence[str], limit: float = 0.0
    ) -> None:
        """Start pytest.

        Args:
            run: the run with the broker to use.
            command: the call of pytest.
            told_as: the command that the record names.
            limit: seconds that a fact may take; 0: the usual limit.
        """
        self.run = run
        self.has_begun = False
        """whether `go` was called"""
        self.is_over = False
        """whether pytest has ended, and all of its messages were read"""
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
                # Ctrl-C in the terminal reaches only the command, which passes it on. For the
                # reason not to use a session, see kafkalab.brokers.node.
                process_group=0,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def fileno(self) -> int:
        """The descriptor that is readable when pytest has sent something."""
        return self._ear.fileno()

    def go(self) -> None:
        """Let pytest begin, as soon as it is ready."""
        self.has_begun = True
        # If pytest has ended already, `said` notices it.
        with contextlib.suppress(OSError):
            self._ear.sendall(GO)

    def said(self, limit: float) -> list[dict[str, Any]]:
        """The messages since the last call; sets `is_over` when no more can come.

        Args:
            limit: seconds to wait for a message.
        """
        if self.is_over:
            return []
        # Check this first: if pytest has ended, all of its messages are here already.
        has_ended = self._process.poll() is not None
        if not select.select([self._ear], [], [], 0 if has_ended else limit)[0]:
            # A process forked from pytest may keep the socket open.
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
        """The exit code and output of pytest, once it is over."""
        self._output.seek(0)
        text = self._output.read().decode("utf-8", "replace")
        return Ended(self.id, self._process.wait(), text)

    def interrupt(self) -> None:
        """End pytest as Ctrl-C does, with its record; this takes a second or two."""
        if self._process.poll() is None:
            # The signal goes to xdist workers, too: else they would end seconds later.
            os.killpg(self._process.pid, signal.SIGINT)

    def wait(self, limit: float) -> None:
        """Wait until pytest has ended by itself, at most so many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(limit)

    def stop(self) -> None:
        """End pytest, if it still runs, as Ctrl-C does, with its record; any thread may call this.

        If `go` was never called, pytest leaves no record.
        """
        try:
            if self.has_begun:
                self.interrupt()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_LIMIT)
        finally:
            # Processes that its tests started, and that still run, are in the process group.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def end(self) -> None:
        """End pytest, if it still runs, and free everything; only for the thread that made it."""
        try:
            self.stop()
        finally:
            self._ear.close()
            self._output.close()
            self.is_over = True


class WarmBroker:
    """One broker for all runs of pytest that a command starts."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        """Start the broker in the background."""
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
        """The run of the current broker."""
        return self._lease.run

    @property
    def is_ready(self) -> bool:
        """Whether the start is over, so that no caller would have to wait."""
        return self._broker.done()

    def ensure(self, tell: Callable[[str], None]) -> None:
        """Wait until the broker runs; replace it if it has died meanwhile.

        Args:
            tell: prints a line for the user, if the broker died.

        Raises:
            BrokerError: the broker could not be started.
        """
        try:
            self._broker.result().check_alive()
        except BrokerDied as error:
            tell(f"{str(error).partition(' Suspected:')[0]} It is started again.")
            self._lease.close(tell)
            self._begin()
            self._broker.result()

    def broker(self) -> Broker:
        """Wait until the broker runs, and return it.

        Raises:
            BrokerError: the broker could not be started.
        """
        return self._broker.result()

    def check_alive(self) -> None:
        """Check that the broker runs.

        Raises:
            BrokerError: the broker does not run.
        """
        self._broker.result().check_alive()

    def pytest(self, *arguments: str, told_as: Sequence[str], limit: float = 0.0) -> Ended:
        """Run pytest on this broker, and wait for its end.

        Ctrl-C ends pytest first.

        Args:
            arguments: the tests to run and further options of pytest.
            told_as: the command that the record names, so that the user can repeat the run.
            limit: seconds that a fact may take; 0: the usual limit.

        Raises:
            KeyboardInterrupt: the user pressed Ctrl-C (pytest has ended by then, and its record
                says so), or `end_runs` was called.
        """
        with self.made_ready(*arguments, told_as=told_as, limit=limit) as ready:
            ready.go()
            while not ready.is_over:
                ready.said(LISTEN_FOR)
            return ready.ended()

    def made_ready(self, *arguments: str, told_as: Sequence[str], limit: float = 0.0) -> Pytest:
        """Start a pytest on this broker; it collects its tests and then waits for `go`.

        The broker need not run yet. Ini files, and pytest's options in the environment, are
        ignored: facts are the same everywhere. The arguments are those of `pytest`.

        Raises:
            KeyboardInterrupt: `end_runs` was called.
        """
        command = [
            # -P: Python imports no modules from the current folder.
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
            # An exception by a signal between the start of the process and `add` would leave
            # the process behind.
            with _signals_later():
                started = Pytest(self.run, command, told_as, limit)
                self._running.add(started)
        return started

    def end_runs(self) -> None:
        """End each pytest as Ctrl-C does, also those of other threads; no new one can start."""
        with self._lock:
            self._is_ended = True
            running = [each for each in self._running if not each.is_over]
        for each in running:
            each.stop()

    def close(self, tell: Callable[[str], None]) -> None:
        """End the runs and the broker, and delete everything that they left.

        Args:
            tell: prints a line for the user, if it takes long.

        Raises:
            BrokerError: something that outlives the broker could not be deleted.
        """
        try:
            self.end_runs()
            if self.run.folder.exists():
                self._lease.close(tell)
        finally:
            # If the broker was still starting, it may have started processes since; end them now.
            self._threads.shutdown(cancel_futures=True)
            if self.run.folder.exists():
                self.run.close()


@contextlib.contextmanager
def _signals_later() -> Iterator[None]:
    """Handle signals only after the end of the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Only Python handlers can be delayed. Ignored signals must stay ignored, since a program
        # started in the block inherits that.
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
