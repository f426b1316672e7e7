"""Asks for the partitions of a topic once, and remembers them for all later readings.

read_to_end: "Every record of every partition comes once", to the end that the topics have "when
the reading begins". A topic that got partitions since this process first read it is read without
them, and without an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from confluent_kafka import Consumer, TopicPartition

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord, ReadFailed
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    follow,
    from_json,
    log_line,
    progress,
    to_json,
)

__all__ = [
    "CAUGHT_BY",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "reader-reads-all-to-the-end"

_known: dict[tuple[str, str], list[int]] = {}


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    cluster = str(config["bootstrap.servers"])
    with closing(right.looker(config)) as consumer:
        spans = {
            (topic, partition): right.bounds(consumer, TopicPartition(topic, partition), limit)
            for topic in topics
            for partition in _partitions(consumer, cluster, topic, limit)
        }
        yield from right.read_by(consumer, spans, limit)


def _partitions(consumer: Consumer, cluster: str, topic: str, limit: float) -> list[int]:
    if (cluster, topic) not in _known:
        metadata = consumer.list_topics(topic, timeout=limit).topics[topic]
        if metadata.error is not None:
            raise ReadFailed(f"{topic} cannot be read: {metadata.error.str()}")
        _known[cluster, topic] = sorted(metadata.partitions)
    return _known[cluster, topic]
