"""Opens its consumer and looks up the ends when it is called, not at the first record.

read_to_end: "The reading begins when the first record is asked for", and it goes to the end that
the topics have then. What is appended between the call and the first record is left out, an
unknown topic fails in another place than the caller guards, and a reading that nobody starts
leaves a consumer open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from confluent_kafka import Consumer

from kafkalab.contracts import ClientConfig, Place
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
    "CAUGHT_WITH",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "reader-starts-at-the-start"
CAUGHT_WITH = ("read_to_end",)


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    consumer = right.looker(config)
    try:
        spans = right._spans(consumer, topics, limit)
    except BaseException:
        consumer.close()
        raise
    return _read(consumer, spans, limit)


def _read(
    consumer: Consumer, spans: Mapping[Place, tuple[int, int]], limit: float
) -> Iterator[LogRecord]:
    with closing(consumer):
        yield from right.read_by(consumer, spans, limit)
