"""The shared brokers of a run: the first process that needs one starts it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from kafkalab.brokers import Backend, Broker, Topology, errors
from kafkalab.brokers.errors import BrokerError, RunIsOver, StartFailed
from kafkalab.brokers.ledger import Ledger
from kafkalab.brokers.runs import Run

# Seconds. Another worker may be starting the broker; this is longer than any start may take.
SHARED_BROKER_LIMIT = 120.0


class Lease:
    """The right of one run to its brokers.

    Every process of the run makes its own lease of the same run. The first process that
    asks for the shared broker starts it under a file lock, the others attach. The owner
    of the run closes it.
    """

    def __init__(self, backend: Backend, run: Run, *, is_apart: bool = False) -> None:
        """Take the right to a run's shared broker; it is not started yet.

        Args:
            backend: starts the broker.
            run: the run.
            is_apart: whether it is a second one, beside the run's usual broker.
        """
        self._is_apart = is_apart
        self.backend = backend
        self.run = run.with_backend(backend.starts)
        self._broker: Broker | None = None
        self._private_count = 0

    @property
    def _state_file(self) -> Path:
        return self.run.folder / ("state-apart.json" if self._is_apart else "state.json")

    @property
    def _failure_file(self) -> Path:
        return self.run.folder / "failure.json"

    def broker(self) -> Broker:
        """The run's shared broker; starts it if no process has.

        Raises:
            BrokerError: the broker could not be started; every later call, in every
                process of the run, raises the same error at once.
        """
        if self._broker is None:
            with self._lock():
                self._raise_known_failure()
                state = self.state()
                self._broker = self.backend.attach(state) if state else self._start_shared()
        return self._broker

    def broker_if_started(self) -> Broker | None:
        """The shared broker if this process uses it, else None; never starts one.

        Raises:
            BrokerError: the start failed, in this or another process.
        """
        self._raise_known_failure()
        return self._broker

    def close(self, tell: Callable[[str], None]) -> None:
        """End and delete everything that the run has made; only for its owner.

        Args:
            tell: prints a line for the user, if it takes long.

        Raises:
            BrokerError: the brokers are gone, but something that outlives them could not be
                deleted.
        """
        try:
            if self.backend.end_run(self.run.prefix, tell):
                Ledger(self.run.cache).strike_out(self.run.prefix)
        finally:
            self.run.close()

    def state(self) -> dict[str, Any] | None:
        """The state of the shared broker; None before it was started."""
        try:
            state: dict[str, Any] = json.loads(self._state_file.read_text("utf-8"))
        except OSError:
            return None
        return state

    @contextlib.contextmanager
    def private(self, topology: Topology) -> Iterator[Broker]:
        """A broker for one test only; it is gone when the block ends.

        Raises:
            BrokerError: the broker could not be started.
        """
        with self._lock():
            self._raise_known_failure()
        self._private_count += 1
        home = self.run.folder / f"private-{os.getpid()}-{self._private_count}"
        broker = self.backend.launch(topology, home)
        try:
            yield broker
        finally:
            broker.close()

    def _lock(self) -> contextlib.AbstractContextManager[object]:
        """Open the run, and hold its lock for a `with` block."""
        if not self.run.owner.is_alive():
            raise _run_is_over()
        self.run.open()
        try:
            return FileLock(self.run.lock_file, timeout=SHARED_BROKER_LIMIT).acquire()
        except Timeout as error:
            raise StartFailed(
                f"Another worker has been starting the broker for {SHARED_BROKER_LIMIT:.0f} s.",
                suspect="a machine under heavy load.",
                remedy="run again with fewer workers (-n 2).",
            ) from error
        except FileNotFoundError as error:
            # The watchdog has just removed the folder.
            raise _run_is_over() from error

    def _start_shared(self) -> Broker:
        try:
            if self._is_apart:
                broker = self.backend.launch(Topology(), self.run.folder / "apart")
            else:
                broker = self.backend.shared(self.run.folder / "shared")
        except BrokerError as error:
            failure = {"type": type(error).__name__, "text": str(error)}
            self._failure_file.write_text(json.dumps(failure), "utf-8")
            raise
        if (cluster := broker.state().get("cluster")) is not None:
            # The cluster outlives the run. Enter the run before it makes anything there.
            Ledger(self.run.cache).enter(self.run.prefix, self.run.owner, cluster)
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        self._state_file.write_text(json.dumps({**broker.state(), "started_by": worker}), "utf-8")
        return broker

    def _raise_known_failure(self) -> None:
        if self._failure_file.exists():
            failure = json.loads(self._failure_file.read_text("utf-8"))
            kind: type[BrokerError] = getattr(errors, failure["type"])
            raise kind.told_again(failure["text"])


def _run_is_over() -> RunIsOver:
    return RunIsOver(
        "The run is over: the process that owns it has ended.",
        suspect="pytest was killed.",
        remedy="run again.",
    )
