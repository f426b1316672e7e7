"""A real Kafka behind one small Protocol, no matter how it was started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol


class Termination(Enum):
    """How a node ends."""

    GRACEFUL = "graceful"
    """SIGTERM: the node hands over, flushes its log and writes a clean-shutdown marker."""

    ABRUPT = "abrupt"
    """SIGKILL: the node cannot do anything more. It loses data that it has not yet written to
    the operating system; it keeps everything else."""


@dataclass(frozen=True)
class Topology:
    """The brokers that a test needs: their number, and settings in addition to the lab's.

    Node ids count from `first_id`. The first `controllers` nodes are broker and KRaft
    controller in one, the others brokers only (`process.roles`).
    """

    brokers: int = 1
    controllers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    first_id: int = 1
    """a cluster of several may count from 0, as the pods of a stateful set do"""

    @property
    def node_ids(self) -> range:
        """The ids of its nodes."""
        return range(self.first_id, self.first_id + self.brokers)

    @property
    def controller_ids(self) -> range:
        """The ids of the nodes that are controllers."""
        return self.node_ids[: self.controllers]


@dataclass(frozen=True)
class Stay:
    """The ports and data folder of a broker that outlives the process which started it."""

    ports: tuple[int, ...] = ()
    """for clients, one for each node in the order of their ids; empty: any free ports"""
    data: Path | None = None
    """a folder for the data that is kept after the broker's end; a container keeps it in a
    volume named after the folder. None: the data is deleted with the broker."""


class Broker(Protocol):
    """A running Kafka of one or more nodes.

    If a backend cannot do something, it leaves it out of `capabilities`. Tests
    declare what they need; if it is missing, they are skipped with reason and remedy.
    """

    @property
    def bootstrap(self) -> str:
        """`host:port` of every node, comma separated, as `bootstrap.servers` takes it."""
        ...

    @property
    def node_ids(self) -> tuple[int, ...]:
        """The ids of all nodes, running or not, ascending."""
        ...

    @property
    def running_ids(self) -> tuple[int, ...]:
        """The ids of the nodes that should run: all but those that a test has killed."""
        ...

    @property
    def version(self) -> str:
        """The version of Apache Kafka, as in `4.4.0`."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """The capabilities that it has, by their names in `kafkalab.brokers.capabilities`."""
        ...

    def client_properties(self) -> dict[str, str]:
        """Properties that every client needs, in librdkafka's names. A fresh dict.

        They switch off librdkafka's log: it would write to stderr whenever a broker
        is ended on purpose. To get the log, set a `log_level` and pass a logger.
        """
        ...

    def kill(self, node_id: int, how: Termination) -> None:
        """End one node. On return its process is gone and its port refuses connections.

        Other nodes and clients may not have noticed yet.
        """
        ...

    def start(self, node_id: int) -> None:
        """Start a node that was killed, on its old port and data.

        On return it answers clients and is in every running node's metadata.
        It may not have caught up yet, or lead any partition.

        Raises:
            BrokerError: the node ended, or did not answer within the limit.
        """
        ...

    def log_dir(self, node_id: int) -> Path:
        """The node's `log.dirs` folder, which holds one folder for each partition.

        For tests that need `log_dirs`; other brokers raise NotImplementedError.
        """
        ...

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of every node's own log."""
        ...

    def check_alive(self) -> None:
        """Return quickly if every node that should run does run.

        Raises:
            BrokerDied: a node's process or container has ended by itself; the
                text carries the tail of its log.
        """
        ...

    def state(self) -> dict[str, Any]:
        """JSON-safe data with which another process can attach to this broker."""
        ...

    def close(self) -> None:
        """Kill every node at once, as a lab's data is thrown away. Never raises."""
        ...


class Backend(Protocol):
    """A way to get a broker."""

    name: str
    starts: str
    """the name of the backend that starts its nodes; it says what a killed run may have left"""

    @property
    def capabilities(self) -> frozenset[str]:
        """What its brokers can do besides serving clients, as `@pytest.mark.needs` names it."""
        ...

    @property
    def kafka_version(self) -> str:
        """The version of its brokers, as in `4.4.0`, as far as known before one runs."""
        ...

    def describe(self) -> str:
        """One phrase for pytest's header: the kind of broker and its version."""
        ...

    def prepare(self, steps: Steps) -> None:
        """Make all preparations that are needed once per machine. Quick if nothing is missing.

        Raises:
            BrokerError: something is missing; the text says what, and what to do.
        """
        ...

    def launch(self, topology: Topology, home: Path) -> Broker:
        """Start a broker with its files in `home`; it is ready on return.

        Raises:
            BrokerError: the broker could not be started; none of its processes is left.
        """
        ...

    def shared(self, home: Path) -> Broker:
        """The broker that all tests of a run share: started in `home`, unless one runs already.

        Raises:
            BrokerError: there is no such broker, or it could not be started; none of its
                processes is left.
        """
        ...

    def attach(self, state: Mapping[str, Any]) -> Broker:
        """Attach to a broker that another process started, by its `Broker.state()`."""
        ...

    def end_run(self, prefix: str, tell: Callable[[str], None]) -> bool:
        """Delete what a run made on brokers that go on; if the brokers are its own, do nothing.

        Args:
            prefix: the start of the names of everything that the run made.
            tell: prints a line for the user, if it takes long.

        Returns:
            Whether nothing is left; the next run deletes the rest.

        Raises:
            BrokerError: something is left; the text says what, and what to do.
        """
        ...


class Steps(Protocol):
    """Shows the progress of a preparation."""

    def step(self, text: str) -> None:
        """Show the next step."""
        ...

    def total(self, size: int) -> None:
        """Announce how many bytes will be fetched."""
        ...

    def advance(self, size: int) -> None:
        """Report that so many more bytes have been fetched."""
        ...
