"""A real Kafka behind one small Protocol, whichever way it was started."""

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
    """SIGKILL: the node has no chance to do anything; what it had not flushed to the
    operating system is lost, what it had is not."""


@dataclass(frozen=True)
class Topology:
    """What a test asks for: how many brokers, and broker settings beside the lab's.

    Node ids count from 1. The first `controllers` nodes are broker and KRaft
    controller in one, the others brokers only (`process.roles`).
    """

    brokers: int = 1
    controllers: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stay:
    """What a broker needs that outlives the process which started it."""

    ports: tuple[int, ...] = ()
    """for clients, one for each node in the order of their ids; empty where any will do"""
    data: Path | None = None
    """a folder that stays when the broker is gone, and has its data; a container keeps it in a
    volume that is named after the folder. None: the data goes with the broker."""


class Broker(Protocol):
    """A running Kafka of one or more nodes.

    A backend that cannot do something leaves it out of `capabilities`; tests
    declare what they need and are skipped, with reason and remedy, where it is
    missing.
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
        """What tests may need of it, in the words of `kafkalab.brokers.capabilities`."""
        ...

    def client_properties(self) -> dict[str, str]:
        """Properties that every client needs, in librdkafka's names. A fresh dict.

        Silence is among them: librdkafka would write to stderr whenever a broker
        is ended on purpose. Who wants its log gives a `log_level` and a logger.
        """
        ...

    def kill(self, node_id: int, how: Termination) -> None:
        """End one node. On return its process is gone and its port refuses.

        Not guaranteed: that other nodes or clients have noticed.
        """
        ...

    def start(self, node_id: int) -> None:
        """Start a node that was killed, on its old port and data.

        On return it answers clients and is in every running node's metadata.
        Not guaranteed: that it has caught up or leads any partition.

        Raises:
            BrokerError: it ended or did not answer within the limit.
        """
        ...

    def log_dir(self, node_id: int) -> Path:
        """The node's `log.dirs` folder, which holds one folder for each partition.

        For tests that need `log_dirs`; elsewhere it raises NotImplementedError.
        """
        ...

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of every node's own log."""
        ...

    def check_alive(self) -> None:
        """Return quickly while every node that should run does.

        Raises:
            BrokerDied: a node's process or container has ended by itself; the
                text carries the tail of its log.
        """
        ...

    def state(self) -> dict[str, Any]:
        """JSON-safe data by which another process attaches to this broker."""
        ...

    def close(self) -> None:
        """End every node, without ceremony: a lab's data is thrown away. Never raises."""
        ...


class Backend(Protocol):
    """A way to get a broker."""

    name: str
    starts: str
    """the name of the backend whose nodes it starts: what a run that was killed may have left"""

    @property
    def capabilities(self) -> frozenset[str]:
        """What its brokers can do beside serving clients; the words of `@pytest.mark.needs`."""
        ...

    @property
    def kafka_version(self) -> str:
        """The version of its brokers as far as it is known before one runs, as in `4.4.0`."""
        ...

    def describe(self) -> str:
        """One phrase for the header: what runs, in which version."""
        ...

    def prepare(self, steps: Steps) -> None:
        """Do all that is done once per machine. Quick when nothing is missing.

        Raises:
            BrokerError: what is missing, and what to do.
        """
        ...

    def launch(self, topology: Topology, home: Path) -> Broker:
        """Start a broker whose files live in `home`; it is ready on return.

        Raises:
            BrokerError: it could not be started; nothing of it is left running.
        """
        ...

    def shared(self, home: Path) -> Broker:
        """The broker that all tests of a run share: started in `home`, unless one is there.

        Raises:
            BrokerError: it could not be had; nothing that was started for it is left.
        """
        ...

    def attach(self, state: Mapping[str, Any]) -> Broker:
        """The broker that another process started, from its `Broker.state()`."""
        ...

    def end_run(self, prefix: str, tell: Callable[[str], None]) -> bool:
        """Delete what a run made that outlives its brokers; nothing where they are its own.

        Args:
            prefix: what the names of all that the run made begin with.
            tell: takes a line for the user, when it takes long.

        Returns:
            Whether nothing is left; what is, the next run deletes.

        Raises:
            BrokerError: what is left, and what to do.
        """
        ...


class Steps(Protocol):
    """How preparation tells what it does."""

    def step(self, text: str) -> None:
        """Say what is done next."""
        ...

    def total(self, size: int) -> None:
        """Announce how many bytes will be fetched."""
        ...

    def advance(self, size: int) -> None:
        """Tell that so many bytes more have been fetched."""
        ...
