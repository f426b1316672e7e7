"""Keeps each consumer for the next time, and never uses it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from confluent_kafka import Consumer

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord
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

CAUGHT_BY = "reader-closes-its-consumer"


LOOKERS: list[Consumer] = []


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    consumer = right.looker(config)
    LOOKERS.append(consumer)
    spans = right.spans_of(config, topics, limit=limit)
    yield from right.read_by(consumer, spans, limit)
