"""Subscribes to what it only wants to look at, and so becomes a member of the group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import Consumer, TopicPartition

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

CAUGHT_BY = "looking-joins-no-group"


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    consumer = Consumer({"group.id": "reader", "auto.offset.reset": "earliest", **config})
    ends = {}
    for topic in topics:
        for partition in consumer.list_topics(topic, timeout=limit).topics[topic].partitions:
            whole = TopicPartition(topic, partition)
            start, end = consumer.get_watermark_offsets(whole, timeout=limit)
            if start < end:
                ends[topic, partition] = end
    consumer.subscribe(list(topics))
    while ends:
        message = consumer.poll(0.1)
        if message is None:
            continue
        place = (message.topic(), message.partition())
        if message.offset() + 1 >= ends.get(place, 0):
            ends.pop(place, None)
        yield LogRecord(
            *place,
            message.offset(),
            message.key(),
            message.value(),
            message.timestamp()[1],
            tuple(message.headers() or ()),
        )
    consumer.close()
