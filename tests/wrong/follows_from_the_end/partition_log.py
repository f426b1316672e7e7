"""Begins with what is new, as `tail -f` does."""

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

CAUGHT_BY = "follow-goes-on"


def follow(
    config: ClientConfig, topics: Sequence[str], *, quiet: float = READ_LIMIT
) -> Iterator[LogRecord]:
    spans = right.spans_of(config, topics, limit=quiet)
    yield from right.follow_from(
        config, {place: end for place, (_, end) in spans.items()}, quiet=quiet
    )
