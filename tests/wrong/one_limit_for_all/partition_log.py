"""Counts the limit from its first poll, with all that the caller does."""

from __future__ import annotations

import time
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
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "a-slow-caller-is-no-silence"


def read_to_end(
    config: ClientConfig, topics: Sequence[str], *, limit: float = READ_LIMIT
) -> Iterator[LogRecord]:
    ends = time.monotonic() + limit
    for record in right.read_to_end(config, topics, limit=limit):
        if time.monotonic() > ends:
            raise ReadFailed(f"the topics were not read within {limit} s")
        yield record
