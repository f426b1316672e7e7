"""Commits where the consumer is, to read it from the group afterwards."""

from __future__ import annotations

from confluent_kafka import Consumer

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

CAUGHT_BY = "progress-only-asks"


def progress(consumer: Consumer, *, limit: float = READ_LIMIT) -> list[Progress]:
    if consumer.assignment():
        consumer.commit(asynchronous=False)
    return right.progress(consumer, limit=limit)
