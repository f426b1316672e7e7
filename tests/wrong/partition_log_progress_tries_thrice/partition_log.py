"""Asks for the committed offsets up to three times, with the whole limit each time."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, TopicPartition

from kafkalab.contracts.partition_log import READ_LIMIT, Progress
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    follow,
    from_json,
    log_line,
    read_to_end,
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

CAUGHT_BY = "progress-gives-up-within-its-limit"

TRIES = 3


def progress(consumer: Consumer, *, limit: float = READ_LIMIT) -> list[Progress]:
    assigned = sorted(consumer.assignment())
    places = [TopicPartition(each.topic, each.partition) for each in assigned]
    if not places:
        return []
    committed = _committed(consumer, places, limit)
    return [
        Progress(at.topic, at.partition, right._offset(at.offset), right._offset(kept.offset))
        for at, kept in zip(consumer.position(places), committed, strict=True)
    ]


def _committed(
    consumer: Consumer, places: list[TopicPartition], limit: float
) -> list[TopicPartition]:
    for _ in range(TRIES - 1):
        try:
            return consumer.committed(places, timeout=limit)
        except KafkaException as error:
            if not error.args[0].retriable() and error.args[0].name() != "_TIMED_OUT":
                raise
    return consumer.committed(places, timeout=limit)
