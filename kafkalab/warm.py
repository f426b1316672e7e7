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
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
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

# After Ctrl-C pytest tidies up after its test, and writes its record: that takes a second.
END_LIMIT = 10.0


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
    limit: float = 0.0
    """seconds that a fact may take, unless it names its own limit; 0 where it is the usual one"""

    @classmethod
    def own(cls, run: Run) -> Self:
        """That of the process to which the run belongs."""
        return cls(run, run.folder.name, run.prefix)

    @classmethod
    def lent(cls, run: Run, command: Sequence[str], limit: float = 0.0) -> Self:
        """One for a pytest that uses the run's broker and has a record of its own."""
        name = uuid.uuid4().hex[:12]
        prefix = f"{run.prefix}{name[:6]}-"
        return cls(run, name, prefix, run.backend, command=tuple(command), limit=limit)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """The share that `as_data` told of."""
        run, command = Run.from_data(data["run"]), tuple(data["command"])
        return cls(**{**data, "run": run, "command": command})

    def as_data(self) -> dict[str, Any]:
        """The share as JSON-safe data."""
        others = ("id", "prefix", "backend", "trouble", "command", "limit")
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


class WarmBroker:
    """One broker for all runs of pytest that a command starts."""

    def __init__(self, backend: Backend, settings: Settings) -> None:
        """Begin to start the broker, beside what the command does."""
        self.backend = backend
        self._settings = settings
        self._threads = ThreadPoolExecutor(1)
        self._running = set[subprocess.Popen[bytes]]()
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

        Ini files, and options in the environment, are for other runs: facts are the same
        everywhere. Ctrl-C ends pytest first.

        Args:
            arguments: what to run, and what else pytest is to know.
            told_as: the command that the record tells, for whoever wants to do it again.
            limit: seconds that a fact may take; 0: the usual limit.

        Raises:
            KeyboardInterrupt: pytest has ended by then, and its record says so; or `end_runs` was
                called.
        """
        share = Share.lent(self.run, told_as, limit)
        command = [
            # -P: nothing that lies in the current folder, whatever its name, is run by this.
            *(sys.executable, "-P", "-m", "pytest", "-c", os.devnull, "--rootdir", str(Path.cwd())),
            *("-p", "no:cacheprovider", "-p", "no:randomly", "--color=no"),
            *self._settings.as_arguments(),
            f"--kafkalab-backend={self.backend.name}",
            *arguments,
        ]
        environment = {**os.environ, VARIABLE: json.dumps(share.as_data())}
        environment.pop("PYTEST_ADDOPTS", None)
        with tempfile.TemporaryFile() as output:
            code = self._wait_for(self._start(command, environment, output))
            output.seek(0)
            return Ended(share.id, code, output.read().decode("utf-8", "replace"))

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_ended:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches only the command, which hands it on; why it is
                # not a session, see kafkalab.brokers.node.
                process_group=0,
            )
            self._running.add(process)
        return process

    def _wait_for(self, process: subprocess.Popen[bytes]) -> int:
        try:
            return process.wait()
        except BaseException:
            _end(process)
            raise
        finally:
            with self._lock:
                self._running.discard(process)

    def end_runs(self) -> None:
        """End each pytest that another thread waits for, as by Ctrl-C; none begins any more."""
        with self._lock:
            self._is_ended = True
            running = list(self._running)
        for process in running:
            _end(process)

    def close(self, tell: Callable[[str], None]) -> None:
        """End the broker, and all that the runs on it have left.

        Args:
            tell: takes a line for the user, when it takes long.

        Raises:
            BrokerError: something that outlives them could not be deleted.
        """
        try:
            if self.run.folder.exists():
                self._lease.close(tell)
        finally:
            # If it was starting, what it started has just ended; what it began since ends now.
            self._threads.shutdown(cancel_futures=True)
            if self.run.folder.exists():
                self.run.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have pytest end as by Ctrl-C, with its record; if it does not, it is killed."""
    try:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_LIMIT)
    finally:
        # What its tests started, if it could not end that itself, is of its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
