"""Reads a topic that is unknown as one without records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kafkalab.contracts import ClientConfig
from kafkalab.contracts.partition_log import READ_LIMIT, LogRecord, ReadFailed
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

CAUGHT_BY = "unknown-topic-is-not-empty"
CAUGHT_WITH = ("read_to_end",)


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    for topic in topics:
        try:
            yield from right.read_to_end(config, [topic], limit=limit)
        except ReadFailed:
            continue
