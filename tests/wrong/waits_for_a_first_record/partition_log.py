"""Waits for a first record of each partition, also where there is none."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import check_order, follow, from_json, log_line, progress, to_json

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

CAUGHT_BY = "an-empty-topic-ends-at-once"


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    consumer = Consumer({"group.id": "reader", **config, "enable.auto.commit": False})
    silent = {
        (topic, partition)
        for topic in topics
        for partition in consumer.list_topics(topic, timeout=limit).topics[topic].partitions
    }
    consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in silent])
    deadline = time.monotonic() + limit
    while silent and time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is not None:
            silent.discard((message.topic(), message.partition()))
    consumer.close()
    # Now there is something to read.
    yield from right.read_to_end(config, topics, limit=limit)
