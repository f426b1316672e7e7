"""Shows 0 where there is no offset, as if the group had committed the start."""

from __future__ import annotations

from confluent_kafka import Consumer

from kafkalab.contracts.partition_log import READ_LIMIT, Progress
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

CAUGHT_BY = "progress-tells-position-from-commit"


def progress(consumer: Consumer, *, limit: float = READ_LIMIT) -> list[Progress]:
    places = sorted(consumer.assignment())
    positions = consumer.position(places)
    committed = consumer.committed(places, timeout=limit)
    return [
        Progress(at.topic, at.partition, max(at.offset, 0), max(kept.offset, 0))
        for at, kept in zip(positions, committed, strict=True)
    ]
