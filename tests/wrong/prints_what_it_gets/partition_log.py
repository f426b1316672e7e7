"""Prints a value as it comes: none looks like an empty one, and a line end breaks the line."""

from __future__ import annotations

from kafkalab.contracts.partition_log import LogRecord
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

CAUGHT_BY = "a-line-is-unmistakable"


def log_line(record: LogRecord) -> str:
    value = (record.value or b"").decode(errors="replace")
    return f"{record.topic}-{record.partition} @{record.offset} {record.timestamp_ms} {value}"
