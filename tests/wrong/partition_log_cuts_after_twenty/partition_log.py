"""Cuts a value after twenty characters."""

from __future__ import annotations

from kafkalab.contracts.partition_log import LogRecord
from kafkalab.tasks import partition_log as right
from kafkalab.tasks.partition_log import (
    check_order,
    follow,
    from_json,
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

CAUGHT_BY = "a-line-tells-everything"


def log_line(record: LogRecord) -> str:
    value = record.value
    if value is not None and len(value) > 20:
        value = value[:20] + f"... ({len(value)} bytes)".encode()
    return right.log_line(record._replace(value=value))
