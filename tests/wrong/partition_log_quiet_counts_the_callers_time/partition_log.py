"""Counts the time that the caller takes with a record as quiet time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

from confluent_kafka import TopicPartition

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
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "a-slow-caller-is-no-silence"


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    with closing(right.looker(config)) as consumer:
        spans = right._spans(consumer, topics, quiet)
        if not spans:
            return
        consumer.assign([TopicPartition(*place, start) for place, (start, _) in spans.items()])
        heard = time.monotonic()
        while time.monotonic() - heard <= quiet:
            for message in consumer.consume(right.BATCH, right.BATCH_WAIT):
                error = message.error()
                if error is None or not right._tells_an_end(error):
                    heard = time.monotonic()
                    yield right.record_of(message)
