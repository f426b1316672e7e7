"""Leaves the start to the client, which begins where the group of the config has committed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from confluent_kafka import OFFSET_INVALID, Consumer

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
CAUGHT_WITH = ["read_to_end"]


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    settings = {
        "group.id": "log-reader",
        **config,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    }
    with closing(Consumer(settings)) as consumer:
        spans = right._spans(consumer, topics, limit)
        filled = {
            # No offset: auto.offset.reset says where to begin.
            place: (OFFSET_INVALID, end)
            for place, (start, end) in spans.items()
            if start < end
        }
        yield from right.read_by(consumer, filled, limit)
