"""Asks with a limit of its own."""

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

CAUGHT_BY = "progress-gives-up-within-its-limit"


def progress(consumer: Consumer, *, limit: float = READ_LIMIT) -> list[Progress]:
    return right.progress(consumer, limit=max(limit, 10))
