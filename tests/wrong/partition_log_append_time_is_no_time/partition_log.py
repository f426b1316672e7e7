"""Follows topics that take the broker's time without showing their records' time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from confluent_kafka import TIMESTAMP_CREATE_TIME, TopicPartition

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    from_json,
    log_line,
    progress,
    read_to_end,
    to_json,
)

__all__ = [
    "CAUGHT_BY",
    "CAUGHT_WITH",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "reader-gives-the-whole-record"
CAUGHT_WITH = ["follow"]


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    with closing(right.looker(config)) as consumer:
        spans = right._spans(consumer, topics, quiet)
        if not spans:
            return
        consumer.assign([TopicPartition(*place, start) for place, (start, _) in spans.items()])
        for batch in right._batches(consumer, quiet):
            for message in batch:
                error = message.error()
                if error is None or not right._tells_an_end(error):
                    yield _record(message)


def _record(message: right.Message) -> LogRecord:
    kind, timestamp_ms = message.timestamp()
    return LogRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        timestamp_ms if kind == TIMESTAMP_CREATE_TIME else None,
        tuple(message.headers() or ()),
    )
