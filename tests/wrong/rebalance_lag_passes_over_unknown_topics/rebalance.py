"""Passes over the topics that are unknown, as long as one of them is known.

"Raises LagUnknown: a topic is unknown". With a misspelt name among several the call returns the
rows of the others; the topic that nobody measures looks as if it had no lag.
"""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.rebalance import LAG_LIMIT, LagUnknown, PartitionLag
from kafkalab.tasks import rebalance as right
from kafkalab.tasks.rebalance import RebalanceListener, ownerless

__all__ = [
    "CAUGHT_BY",
    "RebalanceListener",
    "lag",
    "ownerless",
]

CAUGHT_BY = "lag-of-an-unknown-topic-is-unknown"


def lag(
    config: ClientConfig, group: str, topics: Sequence[str], *, limit: float = LAG_LIMIT
) -> list[PartitionLag]:
    admin = AdminClient({name: config[name] for name in config if name != "isolation.level"})
    try:
        there = admin.list_topics(timeout=limit).topics
    except KafkaException as error:
        raise LagUnknown(f"the lag of {group} is unknown: {error.args[0].str()}") from error
    known = [topic for topic in topics if topic in there]
    if topics and not known:
        raise LagUnknown(f"unknown: {', '.join(topics)}")
    return right.lag(config, group, known, limit=limit)
