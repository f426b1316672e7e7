"""Cuts a long value before it decodes it."""

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
    "CAUGHT_WITH",
    "check_order",
    "follow",
    "from_json",
    "log_line",
    "progress",
    "read_to_end",
    "to_json",
]

CAUGHT_BY = "a-long-value-is-cut"
CAUGHT_WITH = ("Polish",)


def log_line(record: LogRecord) -> str:
    value = record.value
    if value is None or len(value) <= 200:
        return right.log_line(record)
    try:
        shown = value[:200].decode("utf-8")
    except UnicodeDecodeError:
        shown = value[:200].hex()
    return f"{right.log_line(record._replace(value=b''))} {shown} ({len(value)} bytes)"
