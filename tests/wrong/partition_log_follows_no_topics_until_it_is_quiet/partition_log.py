"""Waits for records of no topics, until it was quiet for long enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
from kafkalab.waiting import spend

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

CAUGHT_BY = "an-empty-topic-ends-at-once"


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    if not topics:
        spend(quiet)
    yield from right.follow(config, topics, quiet=quiet)
