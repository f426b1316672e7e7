"""The server's Kafka clients: made when needed, lent to requests, and closed at its end."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Generic, TypeVar

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from kafkalab.brokers.cluster import Cluster
from kafkalab.clients import LAB_CLIENT
from kafkalab.observe.coordinators import Coordinators
from kafkalab.observe.topics import is_internal
from kafkalab.readable import shortened
from kafkalab.tasks.partition_log import looker
from kafkalab.web.problems import Problem
from kafkalab.web.settings import OwnSettings

Client = TypeVar("Client")

# Seconds for a request to Kafka; after that the API says that Kafka does not answer.
ANSWER_LIMIT = 5.0

# Unused clients of one kind that are kept; more are made when more are needed at once.
KEPT = 4


class Pool(Generic[Client]):
    """Clients of one kind, each used by one request at a time, and then by the next."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._free: list[Client] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self) -> Iterator[Client]:
        """Lend a client for the block; if the block raises, the client is closed."""
        with self._lock:
            client = self._free.pop() if self._free else None
        if client is None:
            client = self._make()
        try:
            yield client
        except BaseException:
            _close(client)
            raise
        with self._lock:
            if len(self._free) < KEPT:
                self._free.append(client)
                return
        _close(client)

    def close(self) -> None:
        """Close the unused clients."""
        with self._lock:
            free, self._free = self._free, []
        for each in free:
            _close(each)


def _close(client: Any) -> None:
    # A producer needs no close(): it has sent or purged all its records.
    if isinstance(client, Consumer | Coordinators):
        client.close()


class Kafka:
    """The cluster that the server works on."""

    def __init__(self, cluster: Cluster, *, prefix: str, allow_foreign: bool = False) -> None:
        """Work on a cluster.

        Args:
            cluster: the cluster.
            prefix: on a cluster that is not the lab's own, only topics and groups whose names
                begin with it may be changed.
            allow_foreign: whether all may be changed there.
        """
        self.cluster = cluster
        self.prefix = "" if cluster.is_lab or allow_foreign else prefix
        self.writing: dict[str, Any] = {**cluster.properties, **LAB_CLIENT, "log_level": 0}
        """settings of a client that reads no records"""
        self.config: dict[str, Any] = {
            **self.writing,
            "isolation.level": "read_committed",
            # With these a reader knows the end of a log sooner than after half a second or more.
            "fetch.wait.max.ms": 100,
            "fetch.queue.backoff.ms": 10,
        }
        """settings of a client that reads records"""
        self.admin = AdminClient(self.writing)
        self.settings = OwnSettings(self.admin)
        self._readers = Pool[Consumer](lambda: looker(self.config))
        self._coordinators = Pool[Coordinators](lambda: Coordinators(self.writing))
        self._producers: dict[str, Pool[Producer]] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def reader(self) -> Iterator[Consumer]:
        """Lend a consumer that joins no group, with nothing assigned yet."""
        with self._readers.lent() as consumer:
            yield consumer
            # A paused partition would stay paused when it is assigned again.
            consumer.resume(consumer.assignment())
            consumer.unassign()

    def coordinators(self) -> AbstractContextManager[Coordinators]:
        """Lend a client that asks the coordinators of groups."""
        return self._coordinators.lent()

    def producers(self, partitioner: str) -> Pool[Producer]:
        """The producers with one of librdkafka's partitioners."""
        with self._lock:
            if partitioner not in self._producers:
                config = {**self.writing, "partitioner": partitioner}
                self._producers[partitioner] = Pool(partial(Producer, config))
            return self._producers[partitioner]

    def may_change(self, name: str) -> bool:
        """Whether a topic, or a group, may be changed."""
        return name.startswith(self.prefix) and not is_internal(name)

    def require_may_change(self, name: str) -> None:
        """Require that a topic, or a group, may be changed.

        Raises:
            Problem: it may not.
        """
        if is_internal(name):
            raise Problem(403, f"{shortened(name, 60)} is Kafka's own: it cannot be changed here.")
        if not self.may_change(name):
            raise Problem(
                403,
                f"On a cluster that is not the lab's own, only names that begin with "
                f"{self.prefix} may be changed, and {shortened(name, 60)} does not: "
                f"use such a name, or start the server with --allow-foreign.",
            )

    def close(self) -> None:
        """Close the clients that no request uses."""
        self._readers.close()
        self._coordinators.close()
        for each in self._producers.values():
            each.close()
