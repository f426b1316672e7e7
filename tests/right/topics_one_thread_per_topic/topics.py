"""Provisions each topic in a thread of its own, and asks each broker by its own address.

Right: every promise of the contract is kept. What differs from the reference: a class that holds
the work, one request for each topic instead of one for all, results that come by futures, and a
wait that goes from broker to broker.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.topics import (
    REQUEST_LIMIT,
    Action,
    NotKnownEverywhere,
    Provisioned,
    TopicDefinition,
)
from kafkalab.tasks import topics as right
from kafkalab.tasks.topics import describe
from kafkalab.waiting import Expired, wait_until

__all__ = [
    "describe",
    "provision",
]

MOST_THREADS = 8
# Seconds for one broker to answer once.
ANSWER_LIMIT = 5.0


def provision(
    config: ClientConfig, definitions: Sequence[TopicDefinition], *, grow: bool = False
) -> list[Provisioned]:
    if len({each.name for each in definitions}) < len(definitions):
        raise ValueError("a topic is defined twice")
    return _Provisioning(config, grow).run(definitions)


class _Provisioning:
    """One call of `provision`."""

    def __init__(self, config: ClientConfig, grow: bool) -> None:
        self.config = dict(config)
        self.grow = grow
        self.admin = AdminClient(dict(config))

    def run(self, definitions: Sequence[TopicDefinition]) -> list[Provisioned]:
        with ThreadPoolExecutor(MOST_THREADS) as pool:
            futures = [pool.submit(self._one, each) for each in definitions]
        results = [future.result() for future in futures]
        changed = {
            definition.name: definition.partitions
            for definition, result in zip(definitions, results, strict=True)
            if result.action in (Action.CREATED, Action.GROWN)
        }
        if changed:
            self._wait_for_brokers(changed)
        return results

    def _one(self, definition: TopicDefinition) -> Provisioned:
        (found,) = right.describe_by(self.admin, [definition.name])
        if not found.exists:
            (created,) = right._create(self.admin, [definition])
            if not right._lost_a_race(created):
                return created
            # The controller has it; the broker that answers may learn of it a little later.
            (found,) = wait_until(
                partial(right.describe_by, self.admin, [definition.name]),
                lambda seen: seen[0].exists,
                limit=REQUEST_LIMIT,
                what=f"{definition.name} to be known",
            )
        return right._compare(self.admin, definition, found, grow=self.grow)

    def _wait_for_brokers(self, changed: dict[str, int]) -> None:
        deadline = time.monotonic() + REQUEST_LIMIT
        cluster = self.admin.describe_cluster(request_timeout=REQUEST_LIMIT).result()
        for address in [f"{node.host}:{node.port}" for node in cluster.nodes]:
            try:
                wait_until(
                    partial(self._knows, address, changed),
                    limit=max(0.0, deadline - time.monotonic()),
                    what=f"{address} to know {', '.join(changed)}",
                )
            except Expired as expired:
                raise NotKnownEverywhere(str(expired)) from expired

    def _knows(self, address: str, changed: dict[str, int]) -> bool:
        client = AdminClient({**self.config, "bootstrap.servers": address})
        try:
            metadata = client.list_topics(timeout=ANSWER_LIMIT)
        except KafkaException:
            return False
        answering = (metadata.orig_broker_name or "").rpartition("/")[0].rpartition("://")[2]
        return answering == address and right._knows_all(metadata, changed)
