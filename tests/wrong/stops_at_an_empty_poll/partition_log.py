"""Takes the first poll that brings nothing for the end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord
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

CAUGHT_BY = "reader-reads-all-to-the-end"


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    consumer = Consumer({"group.id": "reader", **config, "enable.auto.commit": False})
    consumer.assign(
        [
            TopicPartition(topic, partition, OFFSET_BEGINNING)
            for topic in topics
            for partition in consumer.list_topics(topic, timeout=limit).topics[topic].partitions
        ]
    )
    while (message := consumer.poll(0.1)) is not None:
        yield LogRecord(
            message.topic(),
            message.partition(),
            message.offset(),
            message.key(),
            message.value(),
            message.timestamp()[1],
            tuple(message.headers() or ()),
        )
    consumer.close()
