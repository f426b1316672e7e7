"""Cuts long values, and shows keys of any length."""

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

CAUGHT_BY = "a-long-value-is-cut"


def log_line(record: LogRecord) -> str:
    line = right.log_line(record._replace(key=None))
    if record.key is None:
        return line
    key = record.key.decode("utf-8", "backslashreplace")
    return line.replace("key=null", f'key="{key}"', 1)
